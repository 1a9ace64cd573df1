"""Pairs among rows of any number: exact where that takes minutes, by an approximate index where it would take hours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visfeat.dedupe.pairs import ROUNDING, Longs, Pairs, Rows, bounded, pairs_above
from visfeat.search.index import VectorIndex, build_index

FEW, MANY = 16, 1024
"""So many neighbors are asked for at first; where all of them are alike, four times as many, up to the second."""
_BLOCK_ROWS = 4096
EXACT_PAIRS = 10**11
"""Up to so many pairs are all compared, with 512 values a row a quarter of an hour on two cores; more only by bound."""


def near_pairs(values: Rows, threshold: float, *, others: Rows | None = None) -> Pairs:
    """What ``pairs_above`` gives; of very many rows that no cheap bound tells apart nearly all of it, by an index."""
    right = values if others is None else others
    if len(values) * len(right) <= EXACT_PAIRS or bounded(values, right, threshold):
        return pairs_above(values, threshold, others=others)
    return pairs_by_index(values, threshold, others=others)


def pairs_by_index(values: Rows, threshold: float, *, others: Rows | None = None) -> Pairs:
    """What ``pairs_above`` gives but for what the index misses, and at most 1,024 pairs a row.

    ``values`` (N, D) and ``others`` (M, D): rows of unit length, rows of zeros are like nothing.
    """
    right = values if others is None else others
    index = build_index(right, approximate=True)
    parts = []
    for start in range(0, len(values), _BLOCK_ROWS):
        rows = np.arange(start, min(start + _BLOCK_ROWS, len(values)), dtype=np.int64)
        number = FEW
        while len(rows):
            found, is_full = _alike(index, values, rows, number, threshold)
            parts.append(_without(found, rows[is_full]) if number < MANY else found)
            rows = rows[is_full] if number < MANY else rows[:0]
            number *= 4
    found = Pairs.joined(parts)
    return found if others is not None else _once(found)


def _alike(
    index: VectorIndex, values: Rows, rows: Longs, number: int, threshold: float
) -> tuple[Pairs, NDArray[np.bool_]]:
    """The nearest of some rows that are alike, and of which rows all that were asked for are."""
    nearest, cosine = index.search(values[rows], min(number, len(index)))
    is_alike = (cosine >= threshold - ROUNDING) & (nearest >= 0)
    row, place = np.nonzero(is_alike)
    is_full: NDArray[np.bool_] = np.all(is_alike, axis=1) & (number < len(index))
    return Pairs(rows[row], nearest[row, place], cosine[row, place]), is_full


def _without(pairs: Pairs, rows: Longs) -> Pairs:
    """The pairs but for those of rows that are asked again."""
    kept = ~np.isin(pairs.first, rows)
    return Pairs(pairs.first[kept], pairs.second[kept], pairs.cosine[kept])


def _once(pairs: Pairs) -> Pairs:
    """Each pair of rows of one set once, without those of a row with itself."""
    first, second = np.minimum(pairs.first, pairs.second), np.maximum(pairs.first, pairs.second)
    order = np.lexsort((-pairs.cosine, second, first))
    first, second, cosine = first[order], second[order], pairs.cosine[order]
    is_new = (np.diff(first, prepend=-1) != 0) | (np.diff(second, prepend=-1) != 0)
    kept = is_new & (first != second)
    return Pairs(first[kept], second[kept], cosine[kept])
