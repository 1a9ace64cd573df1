"""The linear probe: multinomial logistic regression on frozen features (Alain and Bengio 2016)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import MissingExtra
from visfeat.train.data.splits import Unit, split_units

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""What scikit-learn calls C: the values that are tried, from strong regularization to weak."""
HELD_OUT = 0.2
MOST_STEPS = 300
_BLOCK_ROWS = 1024

Vectors = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


def probe(train: Vectors, targets: Ints, test: Vectors, count: int, *, seed: int = 0) -> NDArray[np.float64]:
    """Logits of the test items, float64 ``(M, count)``; minus infinity for a class that nobody trains.

    train ``(N, D)`` with targets ``(N,)`` below ``count``; test ``(M, D)``. Values are standardized by the training
    items' mean and standard deviation. The strength of the L2 penalty is the one that does best on a fifth of the
    training items, of each class by ``seed``; of equal ones the strongest; then all of them train. At most 300 steps
    of L-BFGS. Raises MissingExtra without scikit-learn.
    """
    train, test = standardized(train, test)
    train, test = _in_their_span(train, test)
    fit, held = _held_out(targets, seed)
    strength = STRENGTHS[0]
    if len(held):
        scores = [_right(_fitted(train[fit], targets[fit], one), train[held], targets[held]) for one in STRENGTHS]
        strength = STRENGTHS[int(np.argmax(scores))]
    return _logits(_fitted(train, targets, strength), test, count)


def standardized(train: Vectors, test: Vectors) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Each column with mean 0 and standard deviation 1 over the training items; one that never changes becomes 0."""
    mean, scale = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    factor = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 1e-9 * (1 + np.abs(mean)))
    return _scaled(train, mean, factor), _scaled(test, mean, factor)


def _scaled(values: Vectors, mean: Vectors, factor: Vectors) -> NDArray[np.float32]:
    """``(values - mean) * factor`` in float64, a block of rows at a time."""
    scaled = np.empty(values.shape, np.float32)
    for start in range(0, len(values), _BLOCK_ROWS):
        part = slice(start, start + _BLOCK_ROWS)
        scaled[part] = (values[part] - mean) * factor
    return scaled


def _in_their_span(train: NDArray[np.float32], test: NDArray[np.float32]) -> tuple[Any, Any]:
    """Of more values than items only the span of the items: the best weights lie in it, so the answer is the same."""
    if train.shape[1] <= len(train):
        return train, test
    basis, coordinates = np.linalg.qr(train.T)
    return np.ascontiguousarray(coordinates.T), test @ basis


def _held_out(targets: Ints, seed: int) -> tuple[Ints, Ints]:
    """Who learns and who chooses, class by class; a class of one item only learns."""
    units = [Unit(str(n), str(target), None) for n, target in enumerate(targets)]
    names = split_units(units, val=HELD_OUT, test=0.0, seed=seed)
    is_held = np.array([name == "val" for name in names])
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def _fitted(values: Vectors, targets: Ints, strength: float) -> Any:
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError:
        raise MissingExtra("a linear probe (scikit-learn)", extra="use") from None
    # One thread, as for clusters; and the number of steps is part of the definition.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=MOST_STEPS).fit(values, targets)


def _logits(model: Any, values: Vectors, count: int) -> NDArray[np.float64]:
    """Of two classes scikit-learn gives the second one's alone."""
    found = np.full((len(values), count), -np.inf)
    scores = np.asarray(model.decision_function(values), np.float64)
    found[:, model.classes_] = scores if scores.ndim == 2 else np.stack([np.zeros_like(scores), scores], axis=1)
    return found


def _right(model: Any, values: Vectors, targets: Ints) -> float:
    return float((model.predict(values) == targets).mean())
