"""The pairs of points that PaCMAP pulls together or pushes apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Indices = NDArray[np.int64]

_EXTRA_NEIGHBORS = 50
_SCALE_NEIGHBORS = slice(3, 6)
_MID_NEAR_DRAWS = 6
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Pairs:
    """For each of n points the others that it is paired with: int64 ``(n, P)`` for each of the three kinds."""

    near: Indices
    mid_near: Indices
    further: Indices


def draw_pairs(values: Rows, seed: int, *, neighbors: int, mid_near: int, further: int) -> Pairs:
    """The pairs of n rows ``(n, D)``, as many of each kind a point as said or as there are.

    near: those nearest by distances that are divided by how far apart neighbors are at both ends; mid-near: of six
    drawn points the second nearest; further: drawn among those that are no neighbors.
    """
    rng = np.random.default_rng(seed)
    near = _near(values, min(neighbors, len(values) - 1))
    free = len(values) - 1 - near.shape[1]
    others = _drawn_others(rng, near, min(further, max(free, 0)))
    return Pairs(near, _mid_near(rng, values, mid_near), others)


def nearest_rows(queries: Rows, values: Rows, k: int, *, own: int | None = None) -> tuple[Indices, Rows]:
    """The k nearest of the rows ``(n, D)`` to each query ``(q, D)``: indices ``(q, k)`` and Euclidean distances.

    The nearest first, of equal ones the lower index. ``own``: query i is row ``own + i``, which is left out.
    """
    squared = np.einsum("nd,nd->n", values, values) - 2 * (queries @ values.T)
    if own is not None:
        here = np.arange(len(queries))
        squared[here, own + here] = np.inf
    near = np.sort(np.argpartition(squared, k - 1, axis=1)[:, :k], axis=1)
    # Differences, not the product: between near points that would cancel.
    distance = np.linalg.norm(values[near] - queries[:, None], axis=2)
    order = np.argsort(distance, axis=1, kind="stable")
    return np.take_along_axis(near, order, axis=1).astype(np.int64), np.take_along_axis(distance, order, axis=1)


def _near(values: Rows, count: int) -> Indices:
    """int64 ``(n, count)``, by distance squared over the product of both points' scales."""
    candidates = min(count + _EXTRA_NEIGHBORS, len(values) - 1)
    found = [
        nearest_rows(values[start : start + _BLOCK], values, candidates, own=start)
        for start in range(0, len(values), _BLOCK)
    ]
    index, distance = (np.concatenate([one[part] for one in found]) for part in (0, 1))
    scale = np.maximum(distance[:, _SCALE_NEIGHBORS if candidates > 3 else slice(-1, None)].mean(axis=1), 1e-10)
    scaled = distance**2 / scale[:, None] / scale[index]
    order = np.argsort(scaled, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(index, order, axis=1)


def _mid_near(rng: np.random.Generator, values: Rows, count: int) -> Indices:
    """int64 ``(n, count)``: each the second nearest of six points drawn with replacement among the others."""
    found = np.empty((len(values), count), np.int64)
    for start in range(0, len(values), _BLOCK):
        here = np.arange(start, min(start + _BLOCK, len(values)))
        drawn = rng.integers(0, len(values) - 1, (len(here), count, _MID_NEAR_DRAWS))
        drawn += drawn >= here[:, None, None]  # all but the point itself
        for column in range(count):
            distance = np.linalg.norm(values[drawn[:, column]] - values[here, None], axis=2)
            second = np.argsort(distance, axis=1, kind="stable")[:, 1:2]
            found[here, column] = np.take_along_axis(drawn[:, column], second, axis=1)[:, 0]
    return found


def _drawn_others(rng: np.random.Generator, near: Indices, count: int) -> Indices:
    """int64 ``(n, count)``: points drawn with replacement that are neither the point itself nor its neighbors."""
    points = len(near)
    taken = np.concatenate([np.arange(points)[:, None], near], axis=1)
    found = np.empty((points, count), np.int64)
    for column in range(count):
        wrong = np.arange(points)
        while len(wrong):
            found[wrong, column] = rng.integers(0, points, len(wrong))
            wrong = wrong[(taken[wrong] == found[wrong, column, None]).any(axis=1)]
    return found
