"""Indexes: the k rows of an array that are nearest to each of many queries, by cosine.

``ExactIndex`` compares each query with each row; an inverted file (``faiss_index``, or ``inverted`` where faiss is not
installed) looks only where the nearest are likely.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visfeat.search.best import Best
from visfeat.search.unit_vectors import BLOCK_ROWS, Found, Values, directions_of, flat, inverse_lengths, joined

EXACT_ROWS = 100_000
"""Up to so many rows comparing with all of them is fast enough: about 10 ms a query of 512 values."""
_FIRST_ROWS, _BLOCK_QUERIES = 1024, 256


class VectorIndex(Protocol):
    """Rows that can be searched."""

    def __len__(self) -> int:
        """How many rows there are."""

    def search(self, queries: Values, k: int) -> Found:
        """The k nearest rows of each query ``(Q, D)``: indices int64 and cosines float32, both ``(Q, k)``.

        The nearest first; where there are fewer than k the index is -1 and the cosine minus infinity. A vector of zeros
        has no direction; its cosine counts as 0. Raises UsageError for queries of another dimension, or not finite.
        """


class ListIndex(VectorIndex, Protocol):
    """An approximate index: rows in lists, of which a query looks into the likeliest."""

    @property
    def ids(self) -> NDArray[np.int64]:
        """What names each row in its answers: int64 ``(N,)``."""

    @property
    def lists(self) -> int:
        """How many lists there are; whoever looks into all has compared with all rows."""

    def search(self, queries: Values, k: int, *, probes: int = ...) -> Found:
        """As ``VectorIndex.search``, in so many lists a query."""

    def save(self, folder: Path) -> None:
        """Write the files of the index into a folder."""


class ExactIndex:
    """Compares each query with each row, a block of both at a time: memory beside the rows is flat."""

    def __init__(self, values: Values) -> None:
        """``values``: ``(N, ...)``, kept as they are and not copied; raises UsageError where one is not finite."""
        self._rows = flat(values)
        self._inverse = inverse_lengths(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def search(self, queries: Values, k: int) -> Found:
        """As ``VectorIndex.search``; of equal cosines the lower index comes first."""
        directions = directions_of(queries, self._rows.shape[1], k)
        parts = [
            self._nearest(directions[start : start + _BLOCK_QUERIES], k)
            for start in range(0, len(directions), _BLOCK_QUERIES)
        ]
        return joined(parts, k)

    def _nearest(self, directions: NDArray[np.float32], k: int) -> Found:
        best = Best(len(directions), k)
        start, stop = 0, _FIRST_ROWS  # the first rows all count as candidates: few of them
        while start < len(self):
            block = np.asarray(self._rows[start:stop], np.float32)
            best.add((directions @ block.T) * self._inverse[start:stop], start)
            start, stop = stop, stop + BLOCK_ROWS
        return best.indices, best.scores


def build_index(values: Values, *, approximate: bool | None = None, seed: int = 0) -> VectorIndex:
    """An index of the rows ``(N, ...)``: exact up to 100,000 of them, approximate above, or as asked for.

    ``seed`` draws the rows that an approximate index learns from; the same rows and seed give the same index. Raises
    UsageError where a value is not finite.
    """
    if len(values) and (approximate or (approximate is None and len(values) > EXACT_ROWS)):
        return build_lists(values, seed=seed)
    return ExactIndex(values)


def build_lists(values: Values, *, ids: NDArray[np.int64] | None = None, seed: int = 0) -> ListIndex:
    """The approximate index of rows ``(N, ...)``, at least one: that of faiss where it is installed, else NumPy's."""
    if importlib.util.find_spec("faiss") is not None:
        from visfeat.search.faiss_index import FaissIndex

        return FaissIndex.build(values, ids=ids, seed=seed)
    from visfeat.search.inverted import InvertedIndex

    return InvertedIndex.build(values, ids=ids, seed=seed)
