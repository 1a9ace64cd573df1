"""Makers of stores whose rows are given, and of rows in groups that are known."""

from __future__ import annotations

import numpy as np

from store_made import FACTS, RECIPE, done, item_of
from visfeat.media.item import Kind
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import LayerShape, Rows


def store_of(path, vectors):
    """A store of items with these rows: URI -> float32 (n, D); a row a second of those that have several."""
    store = FeatureStore.create_or_open(path)
    width = next(iter(vectors.values())).shape[1]
    with store.writer(RECIPE, layers=(LayerShape("pool", (width,)),), facts=FACTS, card_toml="") as writer:
        for uri, values in vectors.items():
            is_image = len(values) == 1
            item = item_of(uri, kind=Kind.IMAGE if is_image else Kind.VIDEO)
            starts = np.full(len(values), np.nan) if is_image else np.arange(len(values), dtype=float)
            index = np.full(len(values), -1) if is_image else 25 * np.arange(len(values))
            writer.add(Rows(item.content_hash, "pool", 0, values.astype(np.float32), starts, starts + 1, index))
            writer.finish(done(item), len(values))
    return store


def blobs(count, per_blob, *, width=16, spread=0.05, seed=0):
    """Rows of unit length around directions at right angles, and to which each belongs."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(count), per_blob)
    rows = np.eye(width)[truth] + rng.normal(0, spread, (len(truth), width))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    order = rng.permutation(len(truth))
    return rows[order].astype(np.float32), truth[order]


def agree(label, truth):
    """Whether two labelings part the rows in the same way."""
    pairs = set(zip(label.tolist(), truth.tolist(), strict=True))
    return len(pairs) == len(set(label.tolist())) == len(set(truth.tolist()))


def images_of(path, rows):
    return store_of(path, {f"/p/{n:04d}.png": rows[n : n + 1] for n in range(len(rows))})
