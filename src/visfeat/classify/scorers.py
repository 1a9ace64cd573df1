"""What a classifier does with a vector, in NumPy alone: a score for each class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from visfeat.pool import unit_length

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]

VOTE_TEMPERATURE = 0.07
"""Of a neighbor's vote ``exp(cosine / 0.07)``, as Wu, Xiong, Yu and Lin (CVPR 2018) and many since have it."""
_BLOCK_VALUES = 16 * 2**20


class Scorer(Protocol):
    """Scores whose softmax, at the classifier's temperature, are probabilities."""

    @property
    def dimension(self) -> int:
        """D of the vectors that it takes."""

    def scores(self, values: Floats) -> NDArray[np.float64]:
        """float64 ``(n, K)`` of vectors ``(n, D)``."""

    def arrays(self) -> Mapping[str, NDArray[np.float32]]:
        """What it has learned, by name."""


@dataclass(frozen=True)
class LinearScorer:
    """Logistic regression: ``values @ weight.T + bias``; weight float32 ``(K, D)``, bias float32 ``(K,)``."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.weight.shape[1])

    def scores(self, values: Floats) -> NDArray[np.float64]:
        """See ``Scorer.scores``."""
        return np.asarray(np.asarray(values, np.float64) @ self.weight.T.astype(np.float64) + self.bias)

    def arrays(self) -> Mapping[str, NDArray[np.float32]]:
        """See ``Scorer.arrays``."""
        return {"weight": self.weight, "bias": self.bias}


@dataclass(frozen=True)
class KnnScorer:
    """Votes of the ``k`` nearest of its vectors by cosine; ``ln(share of the votes + 1 / (K (k + 1)))``.

    vectors: float32 ``(N, D)`` of unit length, class after class; counts: how many each of the K classes has.
    """

    vectors: NDArray[np.float32]
    counts: tuple[int, ...]
    k: int

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.vectors.shape[1])

    def scores(self, values: Floats) -> NDArray[np.float64]:
        """See ``Scorer.scores``."""
        codes = np.repeat(np.arange(len(self.counts)), self.counts)
        indices, cosines = nearest_rows(self.vectors, unit_length(np.asarray(values, np.float32)), self.k)
        return np.asarray(vote_scores(codes[indices], cosines, len(self.counts), (self.k,))[0])

    def arrays(self) -> Mapping[str, NDArray[np.float32]]:
        """See ``Scorer.arrays``."""
        return {"vectors": self.vectors}


def nearest_rows(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], k: int
) -> tuple[Ints, NDArray[np.float32]]:
    """The k rows of ``vectors`` (N, D) nearest to each of ``queries`` (n, D), all of unit length, in flat memory.

    Returns indices int64 and cosines float32, both ``(n, min(k, N))``, the nearest first.
    """
    k = min(k, len(vectors))
    indices = np.empty((len(queries), k), np.int64)
    cosines = np.empty((len(queries), k), np.float32)
    rows = max(1, _BLOCK_VALUES // max(1, len(vectors)))
    for start in range(0, len(queries), rows):
        block = queries[start : start + rows] @ vectors.T
        found = np.argpartition(-block, k - 1, axis=1)[:, :k] if k < len(vectors) else np.argsort(-block, axis=1)
        near = np.take_along_axis(block, found, axis=1)
        order = np.lexsort((found, -near), axis=1)
        indices[start : start + rows] = np.take_along_axis(found, order, axis=1)
        cosines[start : start + rows] = np.take_along_axis(near, order, axis=1)
    return indices, cosines


def vote_scores(codes: Ints, cosines: NDArray[np.float32], classes: int, sizes: tuple[int, ...]) -> NDArray[np.float64]:
    """Scores float64 ``(len(sizes), n, K)`` of the first k neighbors for each k of ``sizes``.

    codes int64 ``(n, m)``: the classes of the neighbors, nearest first; cosines float32 ``(n, m)``.
    """
    # Only the quotients of votes matter: the nearest one has 1.
    votes = np.exp((cosines.astype(np.float64) - cosines[:, :1]) / VOTE_TEMPERATURE)
    found = np.empty((len(sizes), len(codes), classes))
    rows = np.arange(len(codes))[:, None]
    for number, k in enumerate(sizes):
        shares = np.zeros((len(codes), classes))
        np.add.at(shares, (np.broadcast_to(rows, codes[:, :k].shape), codes[:, :k]), votes[:, :k])
        shares /= shares.sum(axis=1, keepdims=True)
        found[number] = np.log(shares + 1 / (classes * (k + 1)))
    return found
