"""Indexes: the k rows of an array that are nearest to each of many queries, by cosine.

``ExactIndex`` compares each query with each row; ``visfeat.search.inverted`` looks only where the nearest are likely.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError
from visfeat.search.best import Best

Values = NDArray[np.floating[Any]]
Found = tuple[NDArray[np.int64], NDArray[np.float32]]

EXACT_ROWS = 100_000
"""Up to so many rows comparing with all of them is fast enough: about 10 ms a query of 512 values."""
_FIRST_ROWS, _BLOCK_ROWS, _BLOCK_QUERIES = 1024, 16384, 256


class VectorIndex(Protocol):
    """Rows that can be searched."""

    def __len__(self) -> int:
        """How many rows there are."""

    def search(self, queries: Values, k: int) -> Found:
        """The k nearest rows of each query ``(Q, D)``: indices int64 and cosines float32, both ``(Q, k)``.

        The nearest first; where there are fewer than k the index is -1 and the cosine minus infinity. A vector of zeros
        has no direction; its cosine counts as 0. Raises UsageError for queries of another dimension, or not finite.
        """


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
            start, stop = stop, stop + _BLOCK_ROWS
        return best.indices, best.scores


def build_index(values: Values, *, approximate: bool | None = None, seed: int = 0) -> VectorIndex:
    """An index of the rows ``(N, ...)``: exact up to 100,000 of them, approximate above, or as asked for.

    ``seed`` draws the rows that an approximate index learns from; the same rows and seed give the same index. Raises
    UsageError where a value is not finite.
    """
    if len(values) and (approximate or (approximate is None and len(values) > EXACT_ROWS)):
        from visfeat.search.inverted import InvertedIndex

        return InvertedIndex.build(values, seed=seed)
    return ExactIndex(values)


def flat(values: Values) -> Values:
    """Rows ``(N, ...)`` as vectors ``(N, D)``."""
    return values.reshape(len(values), math.prod(values.shape[1:]))


def inverse_lengths(rows: Values) -> NDArray[np.float32]:
    """One over the length of each row ``(N, D)``, 0 for a row of zeros; raises UsageError where one is not finite."""
    lengths = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = np.asarray(rows[start : start + _BLOCK_ROWS], np.float32)
        lengths[start : start + len(block)] = np.sqrt(np.einsum("nd,nd->n", block, block))
    bad = np.flatnonzero(~np.isfinite(lengths))
    if len(bad):
        raise UsageError(f"row {bad[0]} of {len(rows)} vectors: a value that is not finite cannot be searched")
    return np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def directions_of(queries: Values, width: int, k: int) -> NDArray[np.float32]:
    """Queries as unit vectors float32 ``(Q, D)``; raises UsageError for those that no index takes."""
    if k < 1:
        raise UsageError(f"k must be at least 1, not {k}")
    if queries.ndim != 2 or queries.shape[1] != width:
        raise UsageError(f"queries must be vectors of {width} values, (Q, {width}); got shape {queries.shape}")
    if not np.isfinite(queries).all():
        raise UsageError("a query with values that are not finite cannot be searched")
    lengths = np.linalg.norm(queries.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(queries / np.where(lengths > 0, lengths, 1), np.float32)


def joined(parts: list[Found], k: int) -> Found:
    """The answers to blocks of queries as one."""
    if not parts:
        return np.empty((0, k), np.int64), np.empty((0, k), np.float32)
    return np.concatenate([one[0] for one in parts]), np.concatenate([one[1] for one in parts])
