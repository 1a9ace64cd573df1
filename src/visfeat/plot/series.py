"""The numbers behind the pictures: pure functions of times and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visfeat.pool import unit_length

Floats = NDArray[np.float64]

_INTERVALS_S = (Fraction(1), Fraction(1, 2), Fraction(1, 4), Fraction(1, 5), Fraction(1, 10))
_ENOUGH_ROWS = 120
_LEAST_CEILING = 0.1
"""Of motion in either unit: less is none."""


class Bins(NamedTuple):
    """A curve in parts of equal length: their edges ``(B + 1,)``, and mean and largest value in each ``(B,)``."""

    edges_s: Floats
    mean: Floats
    largest: Floats


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` of the indices below ``count``, evenly spread, the first among them; all where they fit.

    >>> evenly(7, 3), evenly(2, 3)
    (array([0, 2, 4]), array([0, 1]))
    """
    kept = min(count, most)
    return np.arange(kept, dtype=np.int64) * count // max(kept, 1)


def edges_s(start_s: Floats, end_s: Floats, length_s: float) -> Floats:
    """The edges ``(N + 1,)`` of the times for which N rows stand: each up to the start of the next.

    The last row stands as long as rows do in the middle (the median), at least until its own end; a rest of the video
    that is shorter than one more row belongs to it too.
    """
    step = float(np.median(np.diff(start_s))) if len(start_s) > 1 else 0.0
    last = max(float(end_s[-1]), float(start_s[-1]) + step)
    return np.append(start_s, length_s if abs(length_s - last) < step else last)


def row_at(edges: Floats, at_s: float) -> int | None:
    """The row that stands for a moment, None before the first and after the last."""
    if not edges[0] <= at_s < edges[-1]:
        return None
    return int(np.searchsorted(edges[:-1], at_s, side="right")) - 1


def self_similarity(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The cosine of each of N rows (N, ...) with each: float32 ``(N, N)``; 0 for a vector of zeros."""
    unit = unit_length(np.asarray(values, np.float32).reshape(len(values), -1))
    similarity: NDArray[np.float32] = np.clip(unit @ unit.T, -1, 1)
    return similarity


def binned(start_s: Floats, values: Floats, length_s: float, most: int) -> Bins:
    """A curve of at most ``most`` values over ``[0, length_s)``: by parts of equal length where there are more.

    ``start_s`` ascends, the first is 0; where all fit, each value lies in its own part, from its start to the next.
    A part in which nothing starts has NaN.
    """
    if len(values) <= most:
        return Bins(np.append(start_s, length_s), values, values)
    edges = np.linspace(0, length_s, most + 1)
    part = np.clip(np.searchsorted(edges, start_s, side="right") - 1, 0, most - 1)
    count = np.bincount(part, minlength=most)
    largest = np.full(most, -np.inf)
    np.maximum.at(largest, part, values)
    total = np.bincount(part, weights=values, minlength=most)
    mean = np.divide(total, count, out=np.full(most, np.nan), where=count > 0)
    return Bins(edges, mean, np.where(count > 0, largest, np.nan))


def ceiling(motion: Floats, first_frames: Sequence[int]) -> float:
    """Where a curve of motion is cut off: above all of it but the jumps at the first frames of shots.

    >>> ceiling(np.array([0.0, 2.0, 1.0, 80.0, 4.0]), [0, 3])
    4.4
    """
    within = np.ones(len(motion), bool)
    within[[frame for frame in first_frames if frame < len(motion)]] = False
    return 1.1 * max(float(motion[within].max(initial=0.0)), _LEAST_CEILING)


def interval_for(duration_s: float) -> Fraction:
    """Seconds between the rows of a video of which nobody said how to sample it: 1, less where it is short.

    >>> interval_for(5.0), interval_for(70.0), interval_for(3600.0)
    (Fraction(1, 10), Fraction(1, 2), Fraction(1, 1))
    """
    return next((step for step in _INTERVALS_S if duration_s >= step * _ENOUGH_ROWS), _INTERVALS_S[-1])
