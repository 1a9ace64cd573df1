"""An inverted file: rows in lists by the center that they are nearest to; a query looks into the likeliest lists.

Sivic and Zisserman, Video Google, ICCV 2003; the centers are of spherical k-means (Dhillon and Modha, 2001), learned
from a sample of the rows. Whoever looks into all lists has compared with all rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visfeat.search.best import NOBODY, best_of
from visfeat.search.index import Found, Values, directions_of, flat, inverse_lengths, joined

Floats = NDArray[np.float32]

PROBES = 32
"""Lists that a query looks into unless said otherwise."""
_LISTS_PER_ROOT = 4
_SAMPLE_PER_LIST = 40
_ROUNDS = 8
_BLOCK_ROWS, _BLOCK_QUERIES = 8192, 1024


@dataclass(frozen=True)
class InvertedIndex:
    """Rows of unit length, list after list.

    centers: float32 ``(L, D)``; starts: int64 ``(L + 1,)``, list n is ``[starts[n], starts[n + 1])`` of ``rows``, which
    are float32 ``(N, D)``; indices: int64 ``(N,)``, which row of the original array each one is.
    """

    centers: Floats
    starts: NDArray[np.int64]
    indices: NDArray[np.int64]
    rows: Floats

    @classmethod
    def build(cls, values: Values, *, seed: int = 0) -> InvertedIndex:
        """Learn centers from a sample drawn by the seed; sort all rows ``(N, ...)``, at least one, into their lists."""
        rows = flat(values)
        inverse = inverse_lengths(rows)
        lists = max(1, min(len(rows), round(_LISTS_PER_ROOT * math.sqrt(len(rows)))))
        centers = _learn(rows, inverse, lists, np.random.default_rng(seed))
        nearest = np.concatenate([_nearest(block, centers) for block in _units(rows, inverse)])
        indices = np.argsort(nearest, kind="stable")
        starts = np.searchsorted(nearest[indices], np.arange(len(centers) + 1))
        sorted_rows = np.empty(rows.shape, np.float32)
        for start in _starts(rows):
            chosen = indices[start : start + _BLOCK_ROWS]
            sorted_rows[start : start + len(chosen)] = rows[chosen] * inverse[chosen, None]
        return cls(centers, starts, indices, sorted_rows)

    def __len__(self) -> int:
        return len(self.indices)

    def search(self, queries: Values, k: int, *, probes: int = PROBES) -> Found:
        """As ``VectorIndex.search``; ``probes``: in how many lists each query is looked for."""
        directions = directions_of(queries, self.rows.shape[1], k)
        blocks = range(0, len(directions), _BLOCK_QUERIES)
        return joined([self._nearest(directions[n : n + _BLOCK_QUERIES], k, probes) for n in blocks], k)

    def _nearest(self, directions: Floats, k: int, probes: int) -> Found:
        probes = min(probes, len(self.centers))
        closeness = directions @ self.centers.T
        chosen = np.sort(np.argpartition(closeness, -probes, axis=1)[:, -probes:], axis=1)
        sizes = np.diff(self.starts)[chosen]
        ends = np.cumsum(sizes, axis=1)
        width = int(ends[:, -1].max(initial=0))
        scores = np.full((len(directions), width), -np.inf, np.float32)
        places = np.full((len(directions), width), NOBODY, np.int64)
        for number, queries, at in _by_list(chosen, ends - sizes):
            first, last = self.starts[number], self.starts[number + 1]
            columns = at[:, None] + np.arange(last - first)
            scores[queries[:, None], columns] = directions[queries] @ self.rows[first:last].T
            places[queries[:, None], columns] = self.indices[first:last]
        best = best_of(scores, places, k)
        return best.indices, best.scores


def _by_list(
    chosen: NDArray[np.int64], at: NDArray[np.int64]
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Each list with the queries that look into it, and at which column their scores go: a list is read once."""
    order = np.argsort(chosen, axis=None, kind="stable")
    lists, queries, columns = chosen.ravel()[order], order // chosen.shape[1], at.ravel()[order]
    bounds = np.flatnonzero(np.diff(lists, prepend=-1))
    for start, stop in zip(bounds, [*bounds[1:], len(lists)], strict=True):
        yield int(lists[start]), queries[start:stop], columns[start:stop]


def _learn(rows: Values, inverse: Floats, lists: int, rng: np.random.Generator) -> Floats:
    """Centers float32 ``(lists, D)`` of unit length."""
    chosen = np.sort(rng.choice(len(rows), min(len(rows), lists * _SAMPLE_PER_LIST), replace=False))
    sample = np.asarray(rows[chosen], np.float32) * inverse[chosen, None]
    centers = sample[rng.choice(len(sample), lists, replace=False)]
    for _ in range(_ROUNDS):
        nearest = np.concatenate([_nearest(sample[n : n + _BLOCK_ROWS], centers) for n in _starts(sample)])
        order = np.argsort(nearest, kind="stable")
        used, first = np.unique(nearest[order], return_index=True)
        centers[used] = np.add.reduceat(sample[order], first, axis=0)
        empty = np.setdiff1d(np.arange(lists), used)
        centers[empty] = sample[rng.choice(len(sample), len(empty), replace=False)]
        centers *= inverse_lengths(centers)[:, None]
    return centers


def _units(rows: Values, inverse: Floats) -> Iterator[Floats]:
    for n in _starts(rows):
        yield np.asarray(rows[n : n + _BLOCK_ROWS], np.float32) * inverse[n : n + _BLOCK_ROWS, None]


def _starts(rows: Values) -> range:
    return range(0, len(rows), _BLOCK_ROWS)


def _nearest(rows: Floats, centers: Floats) -> NDArray[np.int64]:
    """The center nearest to each row ``(n, D)``: int64 ``(n,)``."""
    nearest: NDArray[np.int64] = np.argmax(rows @ centers.T, axis=1)
    return nearest
