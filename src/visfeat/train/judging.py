"""From probabilities and the truth to an evaluation's scores, curves and mistakes; in NumPy alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.train.curves import PrecisionRecall, precision_recall, reliability
from visfeat.train.metrics import TOP, Interval, bootstrap, confusion_matrix, multilabel, per_class, top_k

MOST_MISTAKES = 50

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def judge(targets: Ints, probabilities: Floats, groups: NDArray[Any], classes: tuple[str, ...]) -> dict[str, Any]:
    """Fields of an Evaluation, of one class a file: targets ``(F,)``, probabilities ``(F, K)``.

    ``groups (F,)`` are drawn as a whole for the intervals.
    """
    predicted = probabilities.argmax(axis=1)
    matrix = confusion_matrix(targets, predicted, len(classes))
    scores = per_class(matrix)
    of_class = {
        name: {key: float(values[n]) for key, values in scores.items()} | {"files": int(matrix[n].sum())}
        for n, name in enumerate(classes)
    }
    return {
        "metrics": _metrics(targets, probabilities, groups),
        "of_class": of_class,
        "confusion": tuple(tuple(row) for row in matrix.tolist()),
        "reliability": reliability(probabilities.max(axis=1), predicted == targets),
        "precision_recall": _curves(np.eye(len(classes))[targets] > 0, probabilities, classes),
    }


def judge_labels(
    targets: NDArray[np.float32], probabilities: Floats, groups: NDArray[Any], classes: tuple[str, ...]
) -> dict[str, Any]:
    """The same of several labels at once: targets of 0 and 1 ``(F, K)``."""
    names = tuple(multilabel(targets, probabilities - 0.5))

    def measured(name: str) -> Interval:
        return bootstrap(groups, lambda chosen: multilabel(targets[chosen], probabilities[chosen] - 0.5)[name])

    true, said = targets > 0.5, probabilities > 0.5
    confidence = np.maximum(probabilities, 1 - probabilities)
    matrices = [confusion_matrix(true[:, n].astype(int), said[:, n].astype(int), 2) for n in range(len(classes))]
    scores = [{key: float(values[1]) for key, values in per_class(matrix).items()} for matrix in matrices]
    return {
        "of_class": {
            name: one | {"files": int(true[:, n].sum())}
            for n, (name, one) in enumerate(zip(classes, scores, strict=True))
        },
        "metrics": {name: measured(name) for name in names},
        "reliability": reliability(confidence.ravel(), (true == said).ravel()),
        "precision_recall": _curves(true, probabilities, classes),
    }


def surest_mistakes(targets: Ints, probabilities: Floats) -> Ints:
    """The files that were taken for another class, the surest first, no more than ``MOST_MISTAKES``."""
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != targets)
    return wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:MOST_MISTAKES]


def surest_wrong_labels(targets: NDArray[np.float32], probabilities: Floats) -> Ints:
    """Of several labels at once file and label of each wrong one ``(M, 2)``, missed or not there, the surest first."""
    true = targets > 0.5
    wrong = np.argwhere(true != (probabilities > 0.5))
    sure = np.where(true, 1 - probabilities, probabilities)[wrong[:, 0], wrong[:, 1]]
    return wrong[np.argsort(-sure, kind="stable")][:MOST_MISTAKES]


def _metrics(targets: Ints, probabilities: Floats, groups: NDArray[Any]) -> dict[str, Interval]:
    """Top-1, top-5 where there are more classes, and mean F1 with their intervals."""
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    right = top_k(targets, probabilities, 1)

    def f1(chosen: Ints) -> float:
        scores = per_class(confusion_matrix(targets[chosen], predicted[chosen], classes))
        return float(scores["f1"][np.unique(targets[chosen])].mean())

    found = {"top1": bootstrap(groups, lambda chosen: float(right[chosen].mean()))}
    if classes > TOP:
        among = top_k(targets, probabilities, TOP)
        found["top5"] = bootstrap(groups, lambda chosen: float(among[chosen].mean()))
    found["macro_f1"] = bootstrap(groups, f1)
    return found


def _curves(there: NDArray[np.bool_], probabilities: Floats, classes: tuple[str, ...]) -> dict[str, PrecisionRecall]:
    curves = {name: precision_recall(probabilities[:, n], there[:, n]) for n, name in enumerate(classes)}
    return {name: curve for name, curve in curves.items() if curve is not None}
