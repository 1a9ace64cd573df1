"""The k largest of many scores, gathered block by block: what every index keeps while it looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NOBODY = -1
"""The index of a place that nobody took, where there are fewer than k candidates."""


class Best:
    """The k best candidates of each of Q queries so far; of equal scores the lower index comes first.

    indices: int64 ``(Q, k)``, ``NOBODY`` where there are fewer; scores: float32 ``(Q, k)``, descending.
    """

    def __init__(self, queries: int, k: int) -> None:
        """Nobody yet."""
        self.indices = np.full((queries, k), NOBODY, np.int64)
        self.scores = np.full((queries, k), -np.inf, np.float32)

    def add(self, scores: NDArray[np.float32], first: int) -> None:
        """Take a block of scores ``(Q, n)`` of the candidates ``[first, first + n)``, which come in ascending order."""
        # Whoever ties with the last one comes later, so has the larger index, and loses.
        row, column = np.nonzero(scores > self.scores[:, -1:])
        self._merge(row, scores[row, column], column.astype(np.int64) + first)

    def _merge(self, row: NDArray[np.int64], scores: NDArray[np.float32], indices: NDArray[np.int64]) -> None:
        """Candidates of some queries, in any order; one that is there already must not come again."""
        touched = np.unique(row)
        if not len(touched):
            return
        k = self.scores.shape[1]
        row = np.concatenate([np.repeat(touched, k), row])
        scores = np.concatenate([self.scores[touched].ravel(), scores])
        indices = np.concatenate([self.indices[touched].ravel(), indices])
        order = np.lexsort((indices, -scores, row))
        first = np.searchsorted(row[order], touched)
        kept = order[first[:, None] + np.arange(k)]
        self.scores[touched], self.indices[touched] = scores[kept], indices[kept]


def best_of(scores: NDArray[np.float32], indices: NDArray[np.int64], k: int) -> Best:
    """The k best of each row of scores ``(Q, n)`` with their indices ``(Q, n)``; minus infinity is nobody."""
    best = Best(len(scores), k)
    if scores.shape[1] > k:
        chosen = np.argpartition(scores, -k, axis=1)[:, -k:]
        scores, indices = np.take_along_axis(scores, chosen, 1), np.take_along_axis(indices, chosen, 1)
    indices = np.where(np.isneginf(scores), NOBODY, indices)
    order = np.lexsort((indices, -scores))
    best.scores[:, : scores.shape[1]] = np.take_along_axis(scores, order, 1)
    best.indices[:, : scores.shape[1]] = np.take_along_axis(indices, order, 1)
    return best


def recall_at(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """The mean share of the true ones ``(Q, k)`` that were found ``(Q, k)``; -1 is nobody, in either."""
    hits = there = 0
    for one, other in zip(found.tolist(), truth.tolist(), strict=True):
        true = set(other) - {-1}
        hits += len(true & set(one))
        there += len(true)
    return hits / there if there else 1.0
