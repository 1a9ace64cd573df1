"""Mean, maximum and standard deviation of rows, element by element, whatever the shape of a row."""

from __future__ import annotations

import numpy as np

from visfeat.temporal.rows import Doubles, RowSequence, in_double, parts


def mean(rows: RowSequence) -> Doubles:
    """The sum of T rows divided by T, float64 ``(*shape)``; there must be at least one."""
    total = sum(in_double(rows, part).sum(axis=0) for part in parts(len(rows)))
    return np.asarray(total / len(rows))


def maximum(rows: RowSequence) -> Doubles:
    """The largest value of each element, float64 ``(*shape)``."""
    largest = [in_double(rows, part).max(axis=0) for part in parts(len(rows))]
    return np.asarray(np.maximum.reduce(largest))


def std(rows: RowSequence) -> Doubles:
    """The deviation of these T rows themselves (divided by T, not T - 1), float64 ``(*shape)``; 0 of a single row.

    The mean comes first, then the squares of what is left: squares of large values would cancel.
    """
    center = mean(rows)
    total = sum(np.square(in_double(rows, part) - center).sum(axis=0) for part in parts(len(rows)))
    return np.asarray(np.sqrt(total / len(rows)))
