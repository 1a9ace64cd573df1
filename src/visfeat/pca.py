"""Principal components (Pearson, 1901; Hotelling, 1933): exact, in flat memory, the same signs every time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError

MOST_WIDE = 4096
"""Wider vectors have covariances that fill memory; of these a sample is decomposed instead."""


@dataclass(frozen=True, slots=True)
class Projection:
    """mean: float32 ``(D,)``; components: float32 ``(P, D)``, of unit length, the one of most variance first.

    explained: float64 ``(P,)``, the share of all variance that each component has.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    explained: NDArray[np.float64]

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors ``(N, D)`` as coordinates float32 ``(N, P)``."""
        return np.asarray((values - self.mean) @ self.components.T, np.float32)


def principal(blocks: Iterable[NDArray[np.float32]], width: int, dims: int) -> Projection:
    """The first ``dims`` components of all rows of ``blocks``, each float32 ``(n, width)``, in one pass.

    Sums run in float64. There are no more components than columns; those beyond the rows have no variance. Raises
    UsageError without a row, and for vectors of more than 4096 values, whose covariance would fill memory.
    """
    if width > MOST_WIDE:
        raise UsageError(f"vectors of {width} values: principal components are found of at most {MOST_WIDE}")
    count, total, products = 0, np.zeros(width), np.zeros((width, width))
    for block in blocks:
        exact = block.astype(np.float64)
        count += len(block)
        total += exact.sum(axis=0)
        products += exact.T @ exact
    if count == 0:
        raise UsageError("principal components of no rows: extract something first")
    mean = total / count
    covariance = products / count - np.outer(mean, mean)
    variances, vectors = np.linalg.eigh(covariance)
    return _projection(mean, vectors[:, ::-1].T[:dims], variances[::-1][:dims], float(np.trace(covariance)))


def principal_of(values: NDArray[np.float32], dims: int) -> Projection:
    """The same of rows that are in memory, of any width: by their covariance, or by their products where they are few.

    Raises UsageError without a row.
    """
    if len(values) >= values.shape[1] <= MOST_WIDE or len(values) == 0:
        return principal([values], values.shape[1], dims)
    centered = values.astype(np.float64)
    mean = centered.mean(axis=0)
    centered -= mean
    variances, vectors = np.linalg.eigh(centered @ centered.T / len(values))
    variances, vectors = variances[::-1][:dims], vectors[:, ::-1].T[:dims]
    components = vectors @ centered
    lengths = np.linalg.norm(components, axis=1, keepdims=True)
    # A direction without variance is any direction; zeros place all rows at its middle.
    components = np.divide(components, lengths, out=np.zeros_like(components), where=lengths > 1e-12)
    return _projection(mean, components, variances, float((centered**2).sum() / len(values)))


def _projection(
    mean: NDArray[np.float64], components: NDArray[np.float64], variances: NDArray[np.float64], total: float
) -> Projection:
    """Each component with its largest value positive: else its sign would be left to chance."""
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    signed = components * np.where(largest < 0, -1.0, 1.0)
    explained = np.maximum(variances, 0) / total if total > 0 else np.zeros(len(variances))
    return Projection(mean.astype(np.float32), signed.astype(np.float32), explained)
