"""Stores of labeled items whose features say their class, a little of it, or nothing."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from store_made import done, item_of, writer_of
from visfeat.media.item import Kind
from visfeat.recipe import Recipe
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import LayerShape, Rows

WIDTH = 8
LAYER = LayerShape("pool", (WIDTH,))


def recipe_named(name: str, **options) -> Recipe:
    return Recipe(name=name, model=f"fake/{name}", weights_digest="ab", layers=("pool",), **options)


def add_vectors(
    store: FeatureStore,
    recipe: Recipe,
    vectors: dict[str, np.ndarray],
    contents: dict[str, str] | None = None,
    layer: LayerShape = LAYER,
) -> None:
    """``vectors``: URI -> ``(n, *shape)``; of more than one row it is a video of one row a second."""
    with writer_of(store, recipe, (layer,)) as writer:
        for uri, values in vectors.items():
            number = len(values)
            content = (contents or {}).get(uri)
            item = item_of(uri, content, kind=Kind.IMAGE if number == 1 else Kind.VIDEO)
            starts = np.full(1, np.nan) if number == 1 else np.arange(number, dtype=np.float64)
            frames = np.full(1, -1) if number == 1 else 25 * np.arange(number)
            if content is None or content == uri:
                rows = Rows(item.content_hash, layer.layer, 0, values.astype(recipe.dtype), starts, starts + 1, frames)
                writer.add(rows)
            writer.finish(done(item), number)


def class_vectors(labels: dict[str, str], *, noise: float, seed: int = 0) -> dict[str, np.ndarray]:
    """A direction for each class, and noise: URI -> ``(1, 8)``."""
    random = np.random.default_rng(seed)
    names = sorted(set(labels.values()))
    centers = 3 * np.eye(WIDTH)[: len(names)]
    return {
        uri: (centers[names.index(label)] + noise * random.normal(size=WIDTH)).astype(np.float32)[None]
        for uri, label in labels.items()
    }


def labels_of(classes: Sequence[str], each: int) -> dict[str, str]:
    return {f"/data/{label}/{n:02}.png": label for label in classes for n in range(each)}


def labeled_store(path: Path, labels: dict[str, str]) -> FeatureStore:
    """The recipes ``good`` and ``poor``, which differ in noise."""
    store = FeatureStore.create_or_open(path)
    add_vectors(store, recipe_named("good"), class_vectors(labels, noise=0.3))
    add_vectors(store, recipe_named("poor"), class_vectors(labels, noise=3.0, seed=1))
    return store


def write_labels(path: Path, labels: dict[str, str], **columns: dict[str, str]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("uri", "label", *columns))
        writer.writerows((uri, label, *(column[uri] for column in columns.values())) for uri, label in labels.items())
    return path
