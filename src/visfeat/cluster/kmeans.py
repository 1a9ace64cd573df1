"""k-means (Lloyd, 1982; started by k-means++, Arthur and Vassilvitskii, 2007), and how many clusters there are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import MissingExtra, UsageError

Rows = NDArray[np.float32]

_STARTS = 4
_MANY_ROWS = 10_000
"""From here on one start is enough, and four would take long."""
_FIRST_K, _MOST_K, _GROWTH = 2, 60, 1.25
_LEAST_ROWS = 4
"""Fewer rows have no silhouette that would tell two numbers of clusters apart."""


def fit_centers(values: Rows, k: int, seed: int) -> Rows:
    """The centers float32 ``(k, D)`` of rows ``(N, D)``; the same ones for the same seed, on any number of cores.

    Raises MissingExtra without scikit-learn.
    """
    try:
        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError:
        raise MissingExtra("clustering (scikit-learn)", extra="use") from None
    starts = _STARTS if len(values) < _MANY_ROWS else 1
    # Threads add up partial sums in the order in which they are done: one thread, the same bits every time.
    with threadpool_limits(1, user_api="openmp"), warnings.catch_warnings():
        # Fewer different rows than clusters: some stay empty, which the caller leaves out.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = KMeans(k, n_init=starts, random_state=seed, algorithm="lloyd").fit(values)
    centers: Rows = fitted.cluster_centers_.astype(np.float32)
    return centers


def nearest_center(values: Rows, centers: Rows) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest center of each row ``(N, D)``: its index int64 and its Euclidean distance float32, both ``(N,)``.

    Of centers that are equally near the first one counts.
    """
    lengths = np.einsum("nd,nd->n", values, values)
    squared = np.einsum("kd,kd->k", centers, centers) - 2 * (values @ centers.T)
    label = squared.argmin(axis=1).astype(np.int64)
    distance = np.take_along_axis(squared, label[:, None], axis=1)[:, 0] + lengths
    return label, np.sqrt(np.maximum(distance, 0)).astype(np.float32)


def numbers_to_try(rows: int) -> list[int]:
    """The k that ``choose_k`` tries: each from 2 to 10, then each a quarter more, up to 60 and three rows a cluster.

    >>> numbers_to_try(10), numbers_to_try(60), numbers_to_try(10**6)[-3:]
    ([2, 3], [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 18], [33, 41, 51])
    """
    most = max(_FIRST_K, min(_MOST_K, rows // 3))
    found, k = [], _FIRST_K
    while k <= most:
        found.append(k)
        k = k + 1 if k < 10 else int(k * _GROWTH)
    return found


def choose_k(values: Rows, seed: int) -> Mapping[int, float]:
    """Each k with the mean silhouette (Rousseeuw, 1987) of its k-means on rows ``(N, D)``; the largest is the best.

    First those of ``numbers_to_try``, then all between the neighbors of the best of them. Raises UsageError where there
    are fewer than four rows, MissingExtra without scikit-learn.
    """
    if len(values) < _LEAST_ROWS:
        raise UsageError(f"-k auto: {len(values)} rows are too few to choose by; say -k N")
    tried = numbers_to_try(len(values))
    scores = {k: _silhouette(values, k, seed) for k in tried}
    best = tried.index(max(scores, key=lambda k: (scores[k], -k)))
    between = range(tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)])
    scores |= {k: _silhouette(values, k, seed) for k in between if k not in scores}
    return dict(sorted(scores.items()))


def _silhouette(values: Rows, k: int, seed: int) -> float:
    try:
        from sklearn.metrics import silhouette_score
    except ModuleNotFoundError:
        raise MissingExtra("clustering (scikit-learn)", extra="use") from None
    label, _ = nearest_center(values, fit_centers(values, k, seed))
    # Rows that are all alike make fewer clusters than were asked for.
    return float(silhouette_score(values, label)) if 1 < len(np.unique(label)) < len(values) else -1.0
