"""Makers for the tests of classification: stores whose rows lie around known centers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from store_made import FACTS, done, item_of
from visfeat.media.item import Kind
from visfeat.recipe import Recipe
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import LayerShape, Rows

WIDTH = 8
LAYER = LayerShape("pool", (WIDTH,))
RECIPE = Recipe(model="fake/net", weights_digest="ab", layers=("pool",))
CENTERS = {name: 3.0 * np.eye(WIDTH)[n] for n, name in enumerate(("cat", "dog", "owl"))}


def store_of_rows(path: Path, rows: Mapping[str, np.ndarray], *, contents: Mapping[str, str] | None = None):
    """A store of these rows by URI: one row is an image, several are a video with a row a second."""
    store = FeatureStore.create_or_open(path)
    with store.writer(RECIPE, layers=[LAYER], facts=FACTS, card_toml="name = 'fake'\n") as writer:
        for uri, values in rows.items():
            item = item_of(uri, (contents or {}).get(uri), Kind.IMAGE if len(values) == 1 else Kind.VIDEO)
            seconds = np.full(1, np.nan) if len(values) == 1 else np.arange(len(values), dtype=float)
            frames = np.arange(len(values)) * 25
            writer.add(Rows(item.content_hash, "pool", 0, values.astype(np.float32), seconds, seconds + 0.04, frames))
            writer.finish(done(item), len(values))
    return store


def around(name: str, count: int, *, seed: int, spread: float = 1.0) -> np.ndarray:
    """Rows ``(count, WIDTH)`` around a center."""
    return CENTERS[name] + spread * np.random.default_rng(seed).normal(size=(count, WIDTH))


def pictures(path: Path, each: int, *, seed: int = 0, spread: float = 1.0) -> FeatureStore:
    """``/data/CLASS/N.png``, ``each`` of every class."""
    rows = {
        f"/data/{name}/{n:03}.png": around(name, 1, seed=1000 * seed + 100 * k + n, spread=spread)
        for k, name in enumerate(CENTERS)
        for n in range(each)
    }
    return store_of_rows(path, rows)
