"""Clusters found without labels, against the classes: k-means, then mutual information and the Rand index."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import MissingExtra

STARTS = 4
MANY_ITEMS = 20_000
"""From here on k-means goes by small batches."""

Ints = NDArray[np.int64]
Counts = NDArray[np.int64]


def clusters(values: NDArray[np.float32], count: int, *, seed: int = 0) -> Ints:
    """The cluster of each of the unit vectors ``(N, D)``: k-means, the best of four starts; at most N clusters.

    Raises MissingExtra without scikit-learn.
    """
    try:
        from sklearn.cluster import KMeans, MiniBatchKMeans
        from sklearn.exceptions import ConvergenceWarning
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError:
        raise MissingExtra("clustering (scikit-learn)", extra="use") from None
    count = min(count, len(values))
    many = len(values) > MANY_ITEMS
    method = MiniBatchKMeans(count, batch_size=4096, n_init=STARTS, random_state=seed) if many else None
    method = method or KMeans(count, n_init=STARTS, random_state=seed)
    # One thread: the number of cores changes no bit, and threads do not wait for each other on a busy machine.
    with threadpool_limits(1), warnings.catch_warnings():
        # Of fewer different vectors than classes there are fewer clusters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(method.fit_predict(values), np.int64)


def contingency(targets: Ints, found: Ints) -> Counts:
    """How many items of each class (rows) lie in each cluster (columns), int64."""
    columns = int(found.max(initial=-1)) + 1
    rows = int(targets.max(initial=-1)) + 1
    return np.bincount(targets * columns + found, minlength=rows * columns).reshape(rows, columns)


def normalized_mutual_information(counts: Counts) -> float:
    """``2 I(class; cluster) / (H(class) + H(cluster))``: 1 where each tells the other, 0 where it tells nothing.

    Strehl and Ghosh 2002, with the arithmetic mean. Where there is one class and one cluster it is 1.
    """
    shares = counts / counts.sum()
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    entropies = _entropy(rows) + _entropy(columns)
    if entropies == 0:
        return 1.0
    return max(0.0, 2 * (entropies - _entropy(shares.ravel())) / entropies)


def adjusted_rand_index(counts: Counts) -> float:
    """Of all pairs of items, how often class and cluster agree on whether they belong together, beyond chance.

    1 for equal partitions, about 0 for random ones (Hubert and Arabie 1985).
    """
    together, rows, columns = (_pairs(one) for one in (counts, counts.sum(axis=1), counts.sum(axis=0)))
    expected = rows * columns / max(1.0, _pairs(counts.sum()))
    most = (rows + columns) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)


def _entropy(shares: NDArray[np.float64]) -> float:
    there = shares[shares > 0]
    return float(-(there * np.log(there)).sum())


def _pairs(counts: Counts | np.int64) -> float:
    numbers = np.asarray(counts, np.float64)
    return float((numbers * (numbers - 1) / 2).sum())
