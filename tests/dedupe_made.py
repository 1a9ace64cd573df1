"""Stores with vectors that tests choose, for what compares them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from store_made import done, item_of, writer_of
from visfeat.media.item import Kind
from visfeat.recipe import Recipe
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import LayerShape, Rows

DIMENSION = 64
SPACE = LayerShape("pool", (DIMENSION,))
VECTOR_RECIPE = Recipe(model="fake/net", weights_digest="ab", layers=("pool",), fit="squash")


def directions(count: int, seed: int = 0) -> np.ndarray:
    """Unit vectors (count, 64) that are hardly alike."""
    values = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def near(values: np.ndarray, cosine: float, seed: int = 9) -> np.ndarray:
    """A unit vector at just that cosine to each of unit vectors (n, 64)."""
    noise = np.random.default_rng([seed, 1]).normal(size=values.shape)  # another stream than of directions
    noise -= (noise * values).sum(axis=1, keepdims=True) * values
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    return (cosine * values + np.sqrt(1 - cosine**2) * noise).astype(np.float32)


def write_rows(
    store: FeatureStore,
    rows: Mapping[str, np.ndarray],
    *,
    step_s: float = 0.5,
    recipe: Recipe = VECTOR_RECIPE,
    contents: Mapping[str, str] | None = None,
) -> FeatureStore:
    """Items with these vectors: ``(64,)`` an image, ``(n, 64)`` a video of a row each ``step_s``."""
    with writer_of(store, recipe, (SPACE,)) as writer:
        for uri, values in rows.items():
            item = item_of(uri, (contents or {}).get(uri), kind=Kind.IMAGE if values.ndim == 1 else Kind.VIDEO)
            many = np.atleast_2d(values).astype(np.float32)
            starts = np.full(1, np.nan) if values.ndim == 1 else np.arange(len(many)) * step_s
            index = np.arange(len(many)) if values.ndim == 2 else np.array([-1])
            writer.add(Rows(item.content_hash, SPACE.layer, 0, many, starts, starts + 0.04, index))
            writer.finish(done(item), len(many))
    return store


def store_of(path: Path, rows: Mapping[str, np.ndarray], **options) -> FeatureStore:
    return write_rows(FeatureStore.create_or_open(path), rows, **options)
