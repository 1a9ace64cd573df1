"""Temperature scaling: one number that makes probabilities of scores honest.

``p = softmax(scores / T)``, T found on scores of rows that were held out (Guo, Pleiss, Sun and Weinberger, On
calibration of modern neural networks, ICML 2017). Which class is the likeliest never changes. As in Platt (1999), the
truth is given a little less than probability 1, so that a handful of right answers makes nobody certain.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.class_groups import softmax

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]

_LOWEST, _HIGHEST = 1e-3, 1e3
_HALVINGS = 50


def at_temperature(scores: Floats, temperature: float) -> NDArray[np.float64]:
    """``softmax(scores / T)`` of each row of ``(n, K)``."""
    return np.asarray(softmax(np.asarray(scores, np.float64) / temperature))


def log_loss(probabilities: Floats, codes: Ints, weights: Floats) -> float:
    """The weighted mean of ``-ln p`` of the true class: probabilities ``(n, K)``, codes and weights ``(n,)``."""
    likely = np.take_along_axis(probabilities, codes[:, None], axis=1)[:, 0]
    return float(np.average(-np.log(np.maximum(likely, 1e-300)), weights=weights))


def fit_temperature(scores: Floats, codes: Ints, weights: Floats, *, doubt: float = 0.0) -> float:
    """The T that makes ``log_loss`` least, between 0.001 and 1000.

    scores ``(n, K)``, codes and weights ``(n,)``. ``doubt``: the share of each answer's truth that goes to all other
    classes alike. The loss is convex in 1 / T, so that halving an interval finds its only minimum.
    """
    scores = np.asarray(scores, np.float64)
    classes = scores.shape[1]
    share = doubt / max(1, classes - 1)
    truth = np.full(scores.shape, share)
    np.put_along_axis(truth, codes[:, None], 1.0 - doubt if classes > 1 else 1.0, axis=1)
    expected = np.average((truth * scores).sum(axis=1), weights=weights)
    low, high = np.log(1 / _HIGHEST), np.log(1 / _LOWEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        given = at_temperature(scores, float(np.exp(-middle)))
        slope = np.average((given * scores).sum(axis=1), weights=weights) - expected
        low, high = (low, middle) if slope > 0 else (middle, high)
    return float(np.exp(-(low + high) / 2))
