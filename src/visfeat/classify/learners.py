"""The two methods: what they try in cross-validation, and what they learn in the end."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from visfeat.classify.scorers import KnnScorer, LinearScorer, Scorer, vote_scores
from visfeat.errors import MissingExtra
from visfeat.pool import unit_length
from visfeat.search.index import ExactIndex

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Method: TypeAlias = Literal["knn", "linear"]

STRENGTHS = tuple(float(10.0**power) for power in range(-1, 5))
"""C of logistic regression that are tried, of rows whose mean squared length is 1; large ones fit closer."""
NEIGHBORS = (1, 3, 5, 10, 20, 50, 100)
"""k that are tried."""
DEFAULT_STRENGTH, DEFAULT_NEIGHBORS = 10.0, 1
"""Where nothing can be held out to choose by."""
_STEPS, _TOLERANCE = 2000, 1e-5
_NEEDS = "learning a classifier (scikit-learn)"
_NEVER = -1e9
"""The score of a class that is not among the training rows."""


class Learner(Protocol):
    """Rows ``(n, D)`` with their classes, ready to be learned from."""

    parameters: tuple[float, ...]
    """What may be chosen, the most cautious first."""
    default: float

    def scores(self, train: Bools, held_out: Bools) -> NDArray[np.float64]:
        """Scores ``(len(parameters), held-out rows, K)`` of what is learned from the training rows alone."""

    def learn(self, parameter: float) -> Scorer:
        """What is learned from all rows."""


@dataclass(frozen=True)
class Task:
    """values float32 ``(n, D)``; codes int64 ``(n,)``, of ``classes`` classes; weights float64 ``(n,)``."""

    values: NDArray[np.float32]
    codes: Ints
    weights: NDArray[np.float64]
    classes: int


class LinearLearner:
    """Multinomial logistic regression with an L2 penalty (scikit-learn's, by L-BFGS).

    The rows are centered, and divided by one number, so that their mean squared length is 1: the penalty then means
    the same for every model. Where there are fewer rows than dimensions they are turned into the space that they span,
    which changes nothing but the time, since the penalty does not depend on axes.
    """

    def __init__(self, task: Task) -> None:
        self.parameters, self.default = STRENGTHS, DEFAULT_STRENGTH
        self._task = task
        self._mean = task.values.mean(axis=0, dtype=np.float64)
        centered = task.values - self._mean.astype(np.float32)
        length = float(np.sqrt(np.einsum("nd,nd->", centered, centered, dtype=np.float64) / len(centered)))
        self._length = length if length > 0 else 1.0
        self._axes: NDArray[np.float32] | None = None
        if len(centered) < centered.shape[1]:
            with _one_thread():
                axes, turned = np.linalg.qr(centered.T)
            self._axes, centered = axes.T, turned.T
        self._rows = np.ascontiguousarray(centered / np.float32(self._length))
        self.unfinished = 0
        """How many of the fits stopped before they had converged."""

    def scores(self, train: Bools, held_out: Bools) -> NDArray[np.float64]:
        """See ``Learner.scores``; each C goes on from the solution of the one before."""
        fit = self._regression()
        found = []
        for strength in self.parameters:
            weight, bias = fit(train, strength)
            found.append(self._rows[held_out].astype(np.float64) @ weight.T + bias)
        return np.stack(found)

    def learn(self, parameter: float) -> LinearScorer:
        """See ``Learner.learn``; centering and scaling become part of weight and bias."""
        weight, bias = self._regression()(np.ones(len(self._rows), bool), parameter)
        weight = (weight if self._axes is None else weight @ self._axes) / self._length
        return LinearScorer(weight.astype(np.float32), (bias - weight @ self._mean).astype(np.float32))

    def _regression(self) -> Callable[[Bools, float], tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """A function of rows and C that gives weight ``(K, D)`` and bias ``(K,)``, each time from the last solution."""
        try:
            from sklearn.exceptions import ConvergenceWarning
            from sklearn.linear_model import LogisticRegression
        except ModuleNotFoundError:
            raise MissingExtra(_NEEDS, extra="use") from None
        model = LogisticRegression(max_iter=_STEPS, tol=_TOLERANCE, warm_start=True)
        task = self._task

        def fit(train: Bools, strength: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            there = np.unique(task.codes[train])
            weight, bias = np.zeros((task.classes, self._rows.shape[1])), np.full(task.classes, _NEVER)
            if len(there) == 1:
                bias[there] = 0.0
                return weight, bias
            with warnings.catch_warnings(), _one_thread():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.set_params(C=strength).fit(self._rows[train], task.codes[train], task.weights[train])
            self.unfinished += int(np.max(model.n_iter_) >= _STEPS)
            weight[there], bias[there] = _both_sides(model.coef_), _both_sides(model.intercept_[:, None])[:, 0]
            return weight, bias

        return fit


def _one_thread() -> AbstractContextManager[Any]:
    """Within: one thread. Products this small gain little by two, and take thirty times as long on a busy machine."""
    try:
        from threadpoolctl import threadpool_limits  # comes with scikit-learn
    except ModuleNotFoundError:
        raise MissingExtra(_NEEDS, extra="use") from None
    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits


def _both_sides(rows: Floats) -> Floats:
    """Of two classes scikit-learn gives the second one's alone: half of it against half of it is the same."""
    return np.concatenate([-rows / 2, rows / 2]) if len(rows) == 1 else rows


class KnnLearner:
    """The k nearest rows by cosine vote; nothing is learned but the rows themselves."""

    def __init__(self, task: Task) -> None:
        self.parameters = tuple(float(k) for k in NEIGHBORS if k < max(2, len(task.values)))[::-1]
        self.default = float(DEFAULT_NEIGHBORS)
        self._task = task
        self._rows = unit_length(task.values)
        self.unfinished = 0

    def scores(self, train: Bools, held_out: Bools) -> NDArray[np.float64]:
        """See ``Learner.scores``; the neighbors are found once for all k."""
        sizes = tuple(int(k) for k in self.parameters)
        rows = self._rows[train]
        indices, cosines = ExactIndex(rows).search(self._rows[held_out], min(max(sizes), len(rows)))
        return vote_scores(self._task.codes[train][indices], cosines, self._task.classes, sizes)

    def learn(self, parameter: float) -> KnnScorer:
        """See ``Learner.learn``."""
        order = np.argsort(self._task.codes, kind="stable")
        counts = np.bincount(self._task.codes, minlength=self._task.classes)
        return KnnScorer(self._rows[order], tuple(counts.tolist()), int(parameter))


LEARNERS: dict[str, Callable[[Task], LinearLearner | KnnLearner]] = {"knn": KnnLearner, "linear": LinearLearner}
