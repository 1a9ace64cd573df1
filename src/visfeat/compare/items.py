"""One vector an item, read from a space in flat memory: an image's row; of a video the mean of its rows, or one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import StoreError
from visfeat.store.reading import SpaceReader

VideoRow = Literal["mean", "middle"]
"""What stands for a video: the mean of its rows, or the row in the middle (of an even number the earlier one)."""

Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]


def uris_with_rows(reader: SpaceReader) -> set[str]:
    """The items that have at least one row."""
    return {reader.join.uris[item] for item in np.unique(reader.join.item)}


def item_vectors(reader: SpaceReader, uris: Sequence[str], *, video: VideoRow = "mean") -> Vectors:
    """The vectors of these items, float32 ``(N, D)`` in their order; maps are flattened.

    The items must have rows, and no two of them the same content. Besides the result it takes the memory of one batch
    of rows. Raises StoreError for a vector that is not finite.
    """
    owner = _owners(reader, uris, video)
    width = int(np.prod(reader.space.layer.shape))
    sums, counts = np.zeros((len(uris), width), np.float32), np.zeros(len(uris), np.int64)
    for items, rows in _wanted_rows(reader, owner):
        first = np.flatnonzero(np.diff(items, prepend=-1))
        sums[items[first]] += np.add.reduceat(rows.reshape(len(rows), width), first, axis=0)
        counts[items[first]] += np.diff(first, append=len(items))
    sums /= np.maximum(1, counts)[:, None]
    _check_finite(reader, uris, sums)
    return sums


def _owners(reader: SpaceReader, uris: Sequence[str], video: VideoRow) -> Ints:
    """For each stored row the number of its item, -1 where it is not wanted."""
    number = {uri: n for n, uri in enumerate(uris)}
    of_item = np.array([number.get(uri, -1) for uri in reader.join.uris], np.int64)
    entries = np.flatnonzero(of_item[reader.join.item] >= 0)
    if video == "middle":
        entries = _middle(entries, reader.join.item[entries])
    owner = np.full(len(reader.table), -1, np.int64)
    owner[reader.join.offset[entries]] = of_item[reader.join.item[entries]]
    return owner


def _middle(entries: Ints, items: NDArray[np.int32]) -> Ints:
    """Of the entries of each item, which lie side by side in the order of time, the one in the middle."""
    first = np.flatnonzero(np.diff(items, prepend=-1))
    return np.asarray(entries[first + (np.diff(first, append=len(items)) - 1) // 2])


def _wanted_rows(reader: SpaceReader, owner: Ints) -> Iterator[tuple[Ints, Vectors]]:
    """The items ``(n,)`` and rows ``(n, ...)`` of a batch that are wanted, sorted by item."""
    for start, stored in reader.stored_values():
        mine = owner[start : start + len(stored)]
        wanted = np.flatnonzero(mine >= 0)
        if len(wanted):
            order = wanted[np.argsort(mine[wanted], kind="stable")]
            yield mine[order], stored[order]


def _check_finite(reader: SpaceReader, uris: Sequence[str], values: Vectors) -> None:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise StoreError(
            f"{uris[bad[0]]}: its features ({reader.space}) are not finite, as those of {len(bad) - 1} other items; "
            "extract them again with --redo"
        )
