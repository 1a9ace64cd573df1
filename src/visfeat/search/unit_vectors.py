"""Vectors of any length and type as unit vectors, whose inner products are cosines; checked once, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError

Values = NDArray[np.floating[Any]]
Found = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Indices and cosines, both ``(Q, k)``."""

BLOCK_ROWS = 16384


def flat(values: Values) -> Values:
    """Rows ``(N, ...)`` as vectors ``(N, D)``."""
    return values.reshape(len(values), math.prod(values.shape[1:]))


def inverse_lengths(rows: Values) -> NDArray[np.float32]:
    """One over the length of each row ``(N, D)``, 0 for a row of zeros; raises UsageError where one is not finite."""
    lengths = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = np.asarray(rows[start : start + BLOCK_ROWS], np.float32)
        lengths[start : start + len(block)] = np.sqrt(np.einsum("nd,nd->n", block, block))
    bad = np.flatnonzero(~np.isfinite(lengths))
    if len(bad):
        raise UsageError(f"row {bad[0]} of {len(rows)} vectors: a value that is not finite cannot be searched")
    return np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def units(rows: Values, inverse: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The rows ``(N, D)`` as unit vectors float32, block by block; ``inverse``: one over their lengths."""
    for start in range(0, len(rows), BLOCK_ROWS):
        yield np.asarray(rows[start : start + BLOCK_ROWS], np.float32) * inverse[start : start + BLOCK_ROWS, None]


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
