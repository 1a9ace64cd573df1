"""Exact cosines: of a vector with the rows of an array, and the largest of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError

_BLOCK_ROWS = 16384


def nearest(
    values: NDArray[np.floating[Any]], query: NDArray[np.floating[Any]], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k rows of ``values`` (N, ...) with the largest cosine to ``query`` (...), the nearest first.

    Returns indices int64 and cosines float32, both ``(min(k, N),)``. Of equal cosines the lower index comes first.
    A vector of zeros has no direction; its cosine counts as 0. Raises UsageError where the shapes differ or k < 1.
    """
    if values.shape[1:] != query.shape:
        raise UsageError(f"values of shape {values.shape[1:]} cannot be compared with a query of {query.shape}")
    blocks = [cosines(values[start : start + _BLOCK_ROWS], query) for start in range(0, len(values), _BLOCK_ROWS)]
    return largest(np.concatenate([np.empty(0, np.float32), *blocks]), k)


def cosines(values: NDArray[np.floating[Any]], query: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The cosine of each row of ``values`` (N, ...) with ``query`` (...): float32 ``(N,)``, 0 for a vector of zeros."""
    rows = np.asarray(values, np.float32).reshape(len(values), query.size)
    direction = np.asarray(query, np.float32).reshape(-1)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows)) * np.linalg.norm(direction)
    scores = np.zeros(len(rows), np.float32)
    np.divide(rows @ direction, lengths, out=scores, where=lengths > 0)
    return scores


def largest(scores: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Indices int64 and scores of the k largest of ``scores`` (N,), in order; of equal ones the lower index first."""
    if k < 1:
        raise UsageError(f"k must be at least 1, not {k}")
    if k < len(scores):
        # All that tie with the last one stay candidates, so that the index decides, not the partition.
        last = scores[np.argpartition(scores, -k)[-k:]].min()
        candidates = np.flatnonzero(scores >= last)
    else:
        candidates = np.arange(len(scores))
    order = candidates[np.lexsort((candidates, -scores[candidates]))][:k]
    return order, scores[order]
