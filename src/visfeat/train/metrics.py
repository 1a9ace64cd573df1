"""How well a classifier did: from its probabilities and the truth, in NumPy alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.class_groups import softmax

TOP = 5
RESAMPLES = 1000
LEVEL = 0.95

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """A number and the interval that 95% of bootstrap resamples give (Efron 1979, percentiles)."""

    value: float
    low: float
    high: float


def confusion_matrix(targets: Ints, predicted: Ints, classes: int) -> Ints:
    """Int64 ``(K, K)``: row the true class, column the predicted one."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (targets, predicted), 1)
    return matrix


def top_k(targets: Ints, logits: Floats, k: int) -> NDArray[np.bool_]:
    """Whether the true class is among the k likeliest, ``(N,)``; of equal values the lower class comes first."""
    own = np.take_along_axis(logits, targets[:, None], axis=1)
    above = (logits > own).sum(axis=1)
    tied_before = ((logits == own) & (np.arange(logits.shape[1]) < targets[:, None])).sum(axis=1)
    return np.asarray(above + tied_before < k)


def per_class(matrix: Ints) -> dict[str, Floats]:
    """Precision, recall and F1 of each class ``(K,)``; 0 where a class was never predicted or is not there."""
    right = np.diag(matrix).astype(np.float64)
    precision = _ratio(right, matrix.sum(axis=0))
    recall = _ratio(right, matrix.sum(axis=1))
    return {"precision": precision, "recall": recall, "f1": _ratio(2 * precision * recall, precision + recall)}


def classification(targets: Ints, logits: Floats) -> dict[str, float]:
    """Top-1, top-5 where there are more classes than that, mean F1 over the classes that occur, and cross-entropy."""
    classes = logits.shape[1]
    matrix = confusion_matrix(targets, logits.argmax(axis=1), classes)
    found = {"top1": float(top_k(targets, logits, 1).mean())}
    if classes > TOP:
        found["top5"] = float(top_k(targets, logits, TOP).mean())
    found["macro_f1"] = float(per_class(matrix)["f1"][np.unique(targets)].mean())
    likely = np.take_along_axis(softmax(logits.astype(np.float64)), targets[:, None], axis=1)
    found["cross_entropy"] = float(-np.log(np.maximum(likely, 1e-300)).mean())
    return found


def multilabel(targets: NDArray[np.float32], logits: Floats) -> dict[str, float]:
    """Of several labels at once, a label predicted where its logit is above 0: accuracy, mean F1, all labels right."""
    predicted, true = logits > 0, targets > 0.5
    both = (predicted & true).sum(axis=0)
    f1 = _ratio(2.0 * both, predicted.sum(axis=0) + true.sum(axis=0))
    return {
        "accuracy": float((predicted == true).mean()),
        "macro_f1": float(f1.mean()),
        "exact": float((predicted == true).all(axis=1).mean()),
    }


def bootstrap(groups: Ints, measure: Callable[[Ints], float], *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """A measure with its interval; whole groups ``(N,)`` are drawn, so that clips of one video count as one.

    ``measure`` takes the indices of a resample ``(M,)``.
    """
    value = measure(np.arange(len(groups)))
    _, numbers = np.unique(groups, return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(numbers))[:-1])
    random = np.random.default_rng(seed)
    single = len(members) == len(groups)
    drawn = []
    for _ in range(resamples):
        chosen = random.integers(0, len(members), len(members))
        drawn.append(measure(order[chosen] if single else np.concatenate([members[n] for n in chosen])))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))


def _ratio(part: Floats | Ints, whole: Floats | Ints) -> Floats:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
