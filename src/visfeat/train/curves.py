"""Curves of a classifier, in NumPy alone: how far its probabilities can be trusted, and precision against recall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS, MOST_POINTS = 10, 200

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Reliability:
    """Of answers given with about the same probability: how many are right (Niculescu-Mizil and Caruana 2005).

    ``error`` is the expected calibration error: the mean over all answers of ``|confidence - accuracy|`` of their bin.
    """

    confidence: tuple[float, ...]
    """Mean probability of the answers of each bin that has any; the bins part 0 to 1 evenly."""
    accuracy: tuple[float, ...]
    answers: tuple[int, ...]
    error: float


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision against recall as the threshold falls, and the area below, ``sum_n (R_n - R_(n-1)) P_n``."""

    average: float
    recall: tuple[float, ...]
    precision: tuple[float, ...]


def reliability(confidence: Floats, right: Bools) -> Reliability:
    """Of answers ``(N,)`` with their probabilities, and whether they are right."""
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    there = counts > 0
    means = np.bincount(place, confidence, BINS)[there] / counts[there]
    shares = np.bincount(place, right.astype(float), BINS)[there] / counts[there]
    error = float(np.sum(np.abs(means - shares) * counts[there]) / max(1, len(confidence)))
    return Reliability(tuple(means.tolist()), tuple(shares.tolist()), tuple(counts[there].tolist()), error)


def precision_recall(scores: Floats, positive: Bools) -> PrecisionRecall | None:
    """Of a class's scores ``(N,)`` and where it is there; None where it never is.

    Samples of equal score are taken together. Of a long curve ``MOST_POINTS`` points are kept.
    """
    if not positive.any():
        return None
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(positive[order])
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    precision, recall = right[last] / (last + 1), right[last] / right[-1]
    average = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    kept = np.unique(np.linspace(0, len(last) - 1, min(MOST_POINTS, len(last))).round().astype(int))
    return PrecisionRecall(average, tuple(recall[kept].tolist()), tuple(precision[kept].tolist()))
