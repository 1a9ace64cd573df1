"""PaCMAP: two coordinates that keep neighbors and the large picture (Wang, Huang, Rudin and Shaposhnik, JMLR 2021).

The paper's loss, weights in three phases, and Adam, in NumPy: no compiler at the first call, and the same map for the
same seed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from visfeat.maps.pairs import Pairs, Rows, draw_pairs, nearest_rows
from visfeat.pca import principal_of

NEIGHBORS = 10
_MANY_POINTS = 10_000
_MID_NEAR_SHARE, _FURTHER_SHARE = 0.5, 2.0
"""Pairs of each kind a neighbor."""
_STEPS = (100, 100, 250)
_FIRST_MID_NEAR, _LATER_MID_NEAR = 1000.0, 3.0
_RATE, _DECAY, _SQUARE_DECAY, _EPSILON = 1.0, 0.9, 0.999, 1e-7
_START_SCALE = 0.01
_FEWEST = 4
_PLACED_BLOCK = 1024


def pacmap(values: Rows, seed: int) -> NDArray[np.float32]:
    """Coordinates float32 ``(n, 2)`` of rows ``(n, D)``, centered; of up to three rows their principal components."""
    components = principal_of(values, 2)(values)
    start = np.pad(components, ((0, 0), (0, 2 - components.shape[1]))).astype(np.float64)
    if len(values) < _FEWEST:
        return start.astype(np.float32)
    neighbors = neighbors_for(len(values))
    pairs = draw_pairs(
        values,
        seed,
        neighbors=neighbors,
        mid_near=round(neighbors * _MID_NEAR_SHARE),
        further=round(neighbors * _FURTHER_SHARE),
    )
    placed = _descend(_START_SCALE * start, pairs)
    return np.asarray(placed - placed.mean(axis=0), np.float32)


def neighbors_for(points: int) -> int:
    """How many neighbors a point is pulled to: 10, more for more than 10,000 points.

    >>> neighbors_for(500), neighbors_for(100_000)
    (10, 25)
    """
    return NEIGHBORS if points <= _MANY_POINTS else round(NEIGHBORS + 15 * (math.log10(points) - 4))


def weights_at(step: int) -> tuple[float, float, float]:
    """Of near, mid-near and further pairs at a step of the descent.

    >>> weights_at(0), weights_at(100), weights_at(449)
    ((2.0, 1000.0, 1.0), (3.0, 3.0, 1.0), (1.0, 0.0, 1.0))
    """
    first, second, _ = _STEPS
    if step < first:
        share = step / first
        return 2.0, (1 - share) * _FIRST_MID_NEAR + share * _LATER_MID_NEAR, 1.0
    return (3.0, _LATER_MID_NEAR, 1.0) if step < first + second else (1.0, 0.0, 1.0)


def gradient(placed: NDArray[np.float64], pairs: Pairs, weights: tuple[float, float, float]) -> NDArray[np.float64]:
    """Of the loss by each coordinate, float64 ``(n, 2)``.

    With d = 1 + the squared distance of a pair, near ones cost d / (10 + d), mid-near ones d / (10000 + d) and further
    ones 1 / (1 + d).
    """
    total = np.zeros_like(placed)
    for others, weight, scale in zip(
        (pairs.near, pairs.mid_near, pairs.further), weights, (10.0, 10_000.0, 1.0), strict=True
    ):
        if weight == 0 or others.shape[1] == 0:
            continue
        apart = placed[:, None] - placed[others]
        away = 1.0 + np.einsum("npc,npc->np", apart, apart)
        pull = 2 * weight * (-1.0 if others is pairs.further else scale) / (scale + away) ** 2
        force = pull[:, :, None] * apart
        total += force.sum(axis=1)
        for axis in range(2):
            total[:, axis] -= np.bincount(others.ravel(), force[:, :, axis].ravel(), minlength=len(placed))
    return total


def place(new: Rows, values: Rows, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Coordinates float32 ``(m, 2)`` of further rows ``(m, D)`` on a map of rows ``(n, D)`` at ``points`` ``(n, 2)``.

    The mean of the ten nearest rows' points, each weighted by one over its distance: a row that is there already
    lands on its point.
    """
    k = min(NEIGHBORS, len(values))
    found = [np.empty((0, 2), np.float32)]
    for start in range(0, len(new), _PLACED_BLOCK):
        near, distance = nearest_rows(new[start : start + _PLACED_BLOCK], values, k)
        weight = 1 / np.maximum(distance.astype(np.float64), 1e-9)
        weight /= weight.sum(axis=1, keepdims=True)
        found.append(np.einsum("mk,mkc->mc", weight, points[near]).astype(np.float32))
    return np.concatenate(found)


def _descend(placed: NDArray[np.float64], pairs: Pairs) -> NDArray[np.float64]:
    """Adam (Kingma and Ba, 2015) through the three phases."""
    mean, square = np.zeros_like(placed), np.zeros_like(placed)
    for step in range(sum(_STEPS)):
        slope = gradient(placed, pairs, weights_at(step))
        mean += (1 - _DECAY) * (slope - mean)
        square += (1 - _SQUARE_DECAY) * (slope**2 - square)
        rate = _RATE * math.sqrt(1 - _SQUARE_DECAY ** (step + 1)) / (1 - _DECAY ** (step + 1))
        placed = placed - rate * mean / (np.sqrt(square) + _EPSILON)
    return placed
