"""The rows of a space as vectors of unit length, in flat memory: block by block, or a sample of them.

Of vectors of unit length the squared Euclidean distance is 2 - 2 cos, so that what works with distances goes by the
cosine, as search does. A vector of zeros has no direction and stays one of zeros.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import StoreError, UsageError
from visfeat.pool import unit_length
from visfeat.store.reading import SpaceReader

_TAKEN_ROWS = 4096


def check_not_empty(reader: SpaceReader) -> None:
    """Raise UsageError where a space has no rows."""
    if len(reader) == 0:
        raise UsageError(f"the store has no rows of {reader.space}; visfeat extract FOLDER --store STORE makes some")


def unit_blocks(reader: SpaceReader) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Each row once, in the order in which they are stored: indices int64 ``(n,)``, unit vectors float32 ``(n, D)``.

    Copies of a content are rows of their own. Raises StoreError for a vector that is not finite.
    """
    order = np.argsort(reader.join.offset, kind="stable")
    wanted = reader.join.offset[order]
    for start, stored in reader.stored_values():
        first, last = np.searchsorted(wanted, [start, start + len(stored)])
        if last > first:
            indices = order[first:last]
            yield indices, _unit(reader, indices, stored[wanted[first:last] - start])


def unit_rows(reader: SpaceReader, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """The unit vectors of some rows: float32 ``(n, D)``. Raises StoreError for a vector that is not finite."""
    found = np.empty((len(indices), int(np.prod(reader.space.layer.shape))), np.float32)
    for start in range(0, len(indices), _TAKEN_ROWS):
        part = indices[start : start + _TAKEN_ROWS]
        found[start : start + len(part)] = _unit(reader, part, reader.at(part)[0])
    return found


def all_unit_rows(reader: SpaceReader) -> NDArray[np.float32]:
    """The unit vectors of all rows in their order: float32 ``(N, D)``, by one sequential scan. Raises as above."""
    found = np.empty((len(reader), int(np.prod(reader.space.layer.shape))), np.float32)
    for indices, values in unit_blocks(reader):
        found[indices] = values
    return found


def drawn(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """At most ``most`` of the indices below ``count``, drawn by the seed, ascending; all where they fit.

    >>> drawn(5, 9, 0), len(drawn(100, 7, 0))
    (array([0, 1, 2, 3, 4]), 7)
    """
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False)).astype(np.int64)


def _unit(reader: SpaceReader, indices: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = values.reshape(len(values), -1)
    wrong = np.flatnonzero(~np.isfinite(flat).all(axis=1))
    if len(wrong):
        uri = reader.join.uris[reader.join.item[indices[wrong[0]]]]
        raise StoreError(f"{uri}: a vector of {reader.space} is not finite; extract it again with --redo")
    unit: NDArray[np.float32] = unit_length(flat).astype(np.float32, copy=False)
    return unit
