"""Histograms of a picture's cells, and what makes of them a vector that the cosine compares well."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.integer]


def cell_of_each_pixel(shape: tuple[int, ...], cells: tuple[int, int]) -> NDArray[np.intp]:
    """The number of the cell, of ``cells`` rows and columns, in which each pixel of ``(H, W)`` lies, row by row.

    >>> cell_of_each_pixel((2, 4), (1, 2)).tolist()
    [[0, 0, 1, 1], [0, 0, 1, 1]]
    """
    rows = np.arange(shape[0]) * cells[0] // shape[0]
    columns = np.arange(shape[1]) * cells[1] // shape[1]
    return np.asarray(rows[:, None] * cells[1] + columns[None, :])


def counts_by_cell(codes: NDArray[np.integer], bins: int, cells: tuple[int, int]) -> Counts:
    """How often each code 0 to ``bins`` - 1 of ``(H, W)`` stands in each cell: ``(rows * columns, bins)``."""
    number = cells[0] * cells[1]
    places = cell_of_each_pixel(codes.shape, cells) * bins + codes
    return np.bincount(places.ravel(), minlength=number * bins).reshape(number, bins)


def root_shares(counts: Counts) -> NDArray[np.float32]:
    """Counts ``(cells, bins)`` -> float32 ``(cells * bins,)`` of unit length: the square roots of the bins' shares.

    The cosine of two such vectors is the mean over cells of their Bhattacharyya coefficients, the sum of
    ``sqrt(p * q)``. A cell that holds nothing gives zeros.
    """
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return np.asarray(np.sqrt(counts / totals / len(counts)), dtype=np.float32).ravel()
