"""Makers of stores, items and rows for the tests of everything that reads a store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from visfeat.frames import Label, StreamInfo
from visfeat.media.item import Kind, MediaItem
from visfeat.recipe import Recipe
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import ItemRecord, LayerShape, Rows, Status
from visfeat.store.writer import StoreWriter

RECIPE = Recipe(model="fake/net", weights_digest="ab", layers=("pool",))
LAYER = LayerShape("pool", (4,))
FACTS = {"engine": "fake", "visfeat": "0.1.0"}


def hash_of(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def item_of(uri: str, content: str | None = None, kind: Kind = Kind.IMAGE) -> MediaItem:
    content_hash = hash_of(uri if content is None else content)
    return MediaItem(uri, size_bytes=10, mtime_ns=20, kind=kind, format="png", content_hash=content_hash)


def done(item: MediaItem, status: Status = Status.DONE, reason: str | None = None) -> ItemRecord:
    return ItemRecord(item, StreamInfo(height=3, width=5, codec="x"), status, reason)


def values_for(content_hash: str, positions: Sequence[int], shape: Sequence[int]) -> np.ndarray:
    """Values that depend on content and position alone, as features do; exact in float16."""
    base = int(content_hash[:2], 16)
    numbers = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)
    return np.stack([numbers + base + 7 * position for position in positions]).astype(np.float32)


def rows_for(
    item: MediaItem,
    positions: Sequence[int],
    layer: LayerShape = LAYER,
    labels: tuple[tuple[Label, ...], ...] = (),
) -> Rows:
    is_image = item.kind is Kind.IMAGE
    starts = np.array([np.nan if is_image else position / 2 for position in positions])
    return Rows(
        content_hash=item.content_hash,
        layer=layer.layer,
        first_position=positions[0],
        values=values_for(item.content_hash, positions, layer.shape),
        start_s=starts,
        end_s=starts + 0.5,
        frame_index=np.array([-1 if is_image else 12 * position for position in positions]),
        labels=labels,
    )


def writer_of(store: FeatureStore, recipe: Recipe = RECIPE, layers: Sequence[LayerShape] = (LAYER,)) -> StoreWriter:
    return store.writer(recipe, layers=layers, facts=FACTS, card_toml="name = 'fake'\n")


def store_with(path: Path, lengths: Mapping[str, int]) -> FeatureStore:
    """A store of items that are videos of that many rows; those of one row are images."""
    store = FeatureStore.create_or_open(path)
    with writer_of(store) as writer:
        for uri, length in lengths.items():
            item = item_of(uri, kind=Kind.IMAGE if length == 1 else Kind.VIDEO)
            writer.add(rows_for(item, range(length)))
            writer.finish(done(item), length)
    return store
