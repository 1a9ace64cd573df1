"""What a classifier does with a vector, in NumPy alone: a score for each class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from visfeat.search.index import ExactIndex

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]

VOTE_TEMPERATURE = 0.07
"""Of a neighbor's vote ``exp(cosine / 0.07)``, as Wu, Xiong, Yu and Lin (CVPR 2018) and many since have it."""


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
        indices, cosines = self._index.search(np.asarray(values, np.float32), min(self.k, len(self.vectors)))
        return np.asarray(vote_scores(codes[indices], cosines, len(self.counts), (self.k,))[0])

    def arrays(self) -> Mapping[str, NDArray[np.float32]]:
        """See ``Scorer.arrays``."""
        return {"vectors": self.vectors}

    @cached_property
    def _index(self) -> ExactIndex:
        return ExactIndex(self.vectors)


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
