"""HDBSCAN (Campello, Moulavi and Sander, 2013) on principal components: clusters of any shape, and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visfeat.cluster.kmeans import Rows
from visfeat.errors import MissingExtra
from visfeat.pca import Projection, principal_of

NOISE = -1
DIMS = 32
"""Density means little in hundreds of dimensions."""
_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class Densities:
    """What HDBSCAN found of the rows that it was fitted on, and what tells where other rows belong.

    placed: float32 ``(n, P)``; label: int64 ``(n,)``, -1 for noise; reach: float32 ``(C,)``, of each cluster the
    largest distance from one of its rows to the nearest other one.
    """

    projection: Projection
    placed: Rows
    label: NDArray[np.int64]
    reach: NDArray[np.float32]

    def label_of(self, values: Rows) -> NDArray[np.int64]:
        """The cluster of each row ``(N, D)``: that of the nearest fitted row, as far as its cluster reaches.

        Else, and beside a row of noise, it is noise too.
        """
        placed = self.projection(values)
        found = np.full(len(placed), NOISE, np.int64)
        for start in range(0, len(placed), _BLOCK):
            part = slice(start, start + _BLOCK)
            squared = _squared_distances(placed[part], self.placed)
            nearest = squared.argmin(axis=1)
            label = self.label[nearest]
            distance = np.sqrt(np.take_along_axis(squared, nearest[:, None], axis=1)[:, 0])
            reach = np.append(self.reach, np.float32(-1))[label]
            found[part] = np.where(distance <= reach * (1 + 1e-4), label, NOISE)
        return found


def fit_densities(values: Rows, min_size: int) -> Densities:
    """Cluster rows ``(n, D)``; ``min_size``: the fewest rows that make a cluster. Raises MissingExtra."""
    try:
        from sklearn.cluster import HDBSCAN
    except ModuleNotFoundError:
        raise MissingExtra("clustering (scikit-learn)", extra="use") from None
    projection = principal_of(values, DIMS)
    placed = projection(values)
    if len(values) < max(min_size, 2):
        return Densities(projection, placed, np.full(len(values), NOISE, np.int64), np.empty(0, np.float32))
    label = HDBSCAN(min_cluster_size=min_size, copy=True).fit(placed).labels_.astype(np.int64)
    label[label < 0] = NOISE
    reach = [_reach(placed[label == one]) for one in range(label.max() + 1)]
    return Densities(projection, placed, label, np.array(reach, np.float32))


def _reach(placed: Rows) -> float:
    """The largest distance from a row ``(n, P)`` to the nearest other one."""
    largest = 0.0
    for start in range(0, len(placed), _BLOCK):
        squared = _squared_distances(placed[start : start + _BLOCK], placed)
        here = np.arange(len(squared))
        squared[here, start + here] = np.inf
        largest = max(largest, float(squared.min(axis=1).max()))
    return float(np.sqrt(largest)) if np.isfinite(largest) else 0.0


def _squared_distances(some: Rows, others: Rows) -> Rows:
    """float32 ``(n, m)``."""
    squared = np.einsum("nd,nd->n", some, some)[:, None] + np.einsum("md,md->m", others, others)
    squared -= 2 * (some @ others.T)
    return np.asarray(np.maximum(squared, 0), np.float32)
