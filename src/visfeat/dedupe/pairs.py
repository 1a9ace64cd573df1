"""Pairs of rows that are alike: all whose cosine reaches a threshold, without a matrix of all with all.

The product is taken a block at a time and only what reaches the threshold is kept. Of many rows most pairs are ruled
out by a bound that costs a fraction of the product: with P the projection on k orthonormal directions and Q what is
left, x.y = Px.Py + Qx.Qy <= Px.Py + |Qx| |Qy| (Cauchy-Schwarz), and the right side is itself a product of rows of
k + 1 values. What the bound lets pass is computed in full, so the answer is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Longs = NDArray[np.int64]

BLOCK_ROWS = 2048
SIFTED_PAIRS = 16384**2
"""From so many pairs on the bound is worth its preparation."""
_SAMPLE_ROWS = 1024
_DIRECTIONS = (31, 63, 127, 255)
_GATHER = 8.0
"""What a product of two gathered rows costs, in products of rows in a block."""
_SLACK = 1e-4
"""What rounding may take from a bound."""
ROUNDING = 1e-6
"""What rounding may take from the cosine of equal rows."""


@dataclass(frozen=True)
class Pairs:
    """P pairs: first, second int64 ``(P,)``, sorted by both; cosine float32 ``(P,)``, at most 1.

    Among rows of one set each pair is there once, first < second.
    """

    first: Longs
    second: Longs
    cosine: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def joined(cls, parts: list[Pairs]) -> Pairs:
        """Pairs of several blocks, in order."""
        first = np.concatenate([np.empty(0, np.int64), *(one.first for one in parts)])
        second = np.concatenate([np.empty(0, np.int64), *(one.second for one in parts)])
        cosine = np.concatenate([np.empty(0, np.float32), *(one.cosine for one in parts)])
        order = np.lexsort((second, first))
        return cls(first[order], second[order], np.minimum(cosine[order], np.float32(1)))


def pairs_above(
    values: Rows,
    threshold: float,
    *,
    others: Rows | None = None,
    block_rows: int = BLOCK_ROWS,
    sifted_pairs: int = SIFTED_PAIRS,
) -> Pairs:
    """All pairs of rows of unit length with a cosine of at least ``threshold``, of ``values`` (N, D) with one another.

    With ``others`` (M, D): of ``values`` with these instead. Rows of zeros are like nothing. ``sifted_pairs``: from how
    many pairs on the bound is tried, which changes no answer.
    """
    blocks = blocks_above(values, threshold, others=others, block_rows=block_rows, sifted_pairs=sifted_pairs)
    return Pairs.joined(list(blocks))


def blocks_above(
    values: Rows,
    threshold: float,
    *,
    others: Rows | None = None,
    block_rows: int = BLOCK_ROWS,
    sifted_pairs: int = SIFTED_PAIRS,
) -> Iterator[Pairs]:
    """What ``pairs_above`` gives, a block at a time, in no order: in flat memory whatever is done with them."""
    right = values if others is None else others
    sieve = _sieve(values, right, threshold) if len(values) * len(right) >= sifted_pairs else None
    for start in range(0, len(values), block_rows):
        for other in range(start if others is None else 0, len(right), block_rows):
            rows, columns = slice(start, start + block_rows), slice(other, other + block_rows)
            found = _block(values, right, rows, columns, threshold, sieve)
            if others is None:
                found = _where(found, found.first < found.second)
            if len(found):
                yield found


@dataclass(frozen=True)
class _Sieve:
    """Both sides as rows of k + 1 values whose product bounds the cosine from above."""

    left: Rows
    right: Rows


def _block(values: Rows, right: Rows, rows: slice, columns: slice, threshold: float, sieve: _Sieve | None) -> Pairs:
    """The pairs of one block of rows with one of columns."""
    least = threshold - ROUNDING
    if sieve is None:
        product = values[rows] @ right[columns].T
        first, second = np.divmod(np.flatnonzero(product >= least), product.shape[1])
        cosine = product[first, second]
        return Pairs(first + rows.start, second + columns.start, cosine)
    bound = sieve.left[rows] @ sieve.right[columns].T
    first, second = np.divmod(np.flatnonzero(bound >= least - _SLACK), bound.shape[1])
    first, second = first + rows.start, second + columns.start
    found = Pairs(first, second, _cosines(values, right, first, second))
    return _where(found, found.cosine >= least)


def _cosines(values: Rows, right: Rows, first: Longs, second: Longs) -> NDArray[np.float32]:
    """The cosines of the pairs, some thousand at a time."""
    cosine = np.empty(len(first), np.float32)
    for start in range(0, len(first), _SAMPLE_ROWS):
        part = slice(start, start + _SAMPLE_ROWS)
        cosine[part] = np.einsum("nd,nd->n", values[first[part]], right[second[part]])
    return cosine


def _where(pairs: Pairs, wanted: NDArray[np.bool_]) -> Pairs:
    return Pairs(pairs.first[wanted], pairs.second[wanted], pairs.cosine[wanted])


def bounded(values: Rows, right: Rows, threshold: float) -> bool:
    """Whether a bound rules out nearly all pairs, so that comparing very many rows takes minutes, not hours."""
    return _axes(values, right, threshold) is not None


def _sieve(values: Rows, right: Rows, threshold: float) -> _Sieve | None:
    """The cheapest bound, None where the whole product costs about as little."""
    axes = _axes(values, right, threshold)
    if axes is None:
        return None
    left = _bounding(values, axes)
    return _Sieve(left, left if right is values else _bounding(right, axes))


def _axes(values: Rows, right: Rows, threshold: float) -> Rows | None:
    """The directions whose bound costs least with what it lets pass of a sample; None where none saves half."""
    random = np.random.default_rng(0)
    sample, other = (
        rows[np.sort(random.choice(len(rows), min(len(rows), _SAMPLE_ROWS), replace=False))] for rows in (values, right)
    )
    directions = _principal(np.concatenate([sample, other]))
    dimension = values.shape[1]
    best, least_cost = None, dimension / 2
    for number in _DIRECTIONS:
        axes = directions[:number]
        bound = _bounding(sample, axes) @ _bounding(other, axes).T
        passing = float((bound >= threshold - ROUNDING - _SLACK).mean())
        cost = number + 1 + passing * _GATHER * dimension
        if cost < least_cost:
            best, least_cost = axes, cost
    return best


def _principal(sample: Rows) -> Rows:
    """Orthonormal directions float32 ``(k, D)`` on which the sample is longest, the longest first."""
    _, _, directions = np.linalg.svd(sample.astype(np.float64), full_matrices=False)
    return directions[: _DIRECTIONS[-1]].astype(np.float32)


def _bounding(rows: Rows, axes: Rows) -> Rows:
    """Rows on the axes, and the length of what is left: float32 ``(N, k + 1)``."""
    out = np.empty((len(rows), len(axes) + 1), np.float32)
    for start in range(0, len(rows), BLOCK_ROWS):
        part = rows[start : start + BLOCK_ROWS]
        on_axes = part @ axes.T
        left_over = np.einsum("nd,nd->n", part, part) - np.einsum("nk,nk->n", on_axes, on_axes)
        out[start : start + len(part), :-1] = on_axes
        out[start : start + len(part), -1] = np.sqrt(np.maximum(left_over, 0))
    return out
