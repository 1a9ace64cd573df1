"""An inverted file: rows in lists by the center that they are nearest to; a query looks into the likeliest lists.

Sivic and Zisserman, Video Google, ICCV 2003; the centers are of spherical k-means (Dhillon and Modha, 2001), learned
from a sample of the rows. Whoever looks into all lists has compared with all rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visfeat.search.best import NOBODY, best_of
from visfeat.search.unit_vectors import BLOCK_ROWS, Found, Values, directions_of, flat, inverse_lengths, joined, units

Floats = NDArray[np.float32]

PROBES = 32
"""Lists that a query looks into unless said otherwise."""
SAMPLE_PER_LIST, ROUNDS = 40, 8
"""Of what centers are learned from, and how long."""
_BLOCK_QUERIES = 1024
_LISTS_PER_ROOT = 4
_PARTS = ("centers", "starts", "ids", "rows")


@dataclass(frozen=True)
class InvertedIndex:
    """Rows of unit length, list after list.

    centers: float32 ``(L, D)``; starts: int64 ``(L + 1,)``, list n is ``[starts[n], starts[n + 1])`` of ``rows``, which
    are float32 ``(N, D)``; ids: int64 ``(N,)``, what names each of them.
    """

    centers: Floats
    starts: NDArray[np.int64]
    ids: NDArray[np.int64]
    rows: Floats

    @classmethod
    def build(cls, values: Values, *, ids: NDArray[np.int64] | None = None, seed: int = 0) -> InvertedIndex:
        """Learn centers from a sample drawn by the seed; sort all rows ``(N, ...)``, at least one, into their lists.

        ``ids`` are 0 to N - 1 unless said otherwise.
        """
        rows = flat(values)
        inverse = inverse_lengths(rows)
        centers = _learn(rows, inverse, lists_for(len(rows)), np.random.default_rng(seed))
        nearest = np.concatenate([_nearest(block, centers) for block in units(rows, inverse)])
        order = np.argsort(nearest, kind="stable")
        starts = np.searchsorted(nearest[order], np.arange(len(centers) + 1))
        sorted_rows = np.empty(rows.shape, np.float32)
        for start in _starts(rows):
            chosen = order[start : start + BLOCK_ROWS]
            sorted_rows[start : start + len(chosen)] = rows[chosen] * inverse[chosen, None]
        return cls(centers, starts, order if ids is None else ids[order], sorted_rows)

    def save(self, folder: Path) -> None:
        """Write the files of the index into a folder."""
        for name in _PARTS:
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def open(cls, folder: Path) -> InvertedIndex:
        """Read what ``save`` wrote; the rows stay on disk until they are looked at. Raises OSError, ValueError."""
        parts = {name: np.load(folder / f"{name}.npy", mmap_mode="r" if name == "rows" else None) for name in _PARTS}
        return cls(**parts)

    @property
    def lists(self) -> int:
        """In how many lists the rows lie."""
        return len(self.centers)

    def __len__(self) -> int:
        return len(self.ids)

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
            places[queries[:, None], columns] = self.ids[first:last]
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
    chosen = np.sort(rng.choice(len(rows), min(len(rows), lists * SAMPLE_PER_LIST), replace=False))
    sample = np.asarray(rows[chosen], np.float32) * inverse[chosen, None]
    centers = sample[rng.choice(len(sample), lists, replace=False)]
    for _ in range(ROUNDS):
        nearest = np.concatenate([_nearest(sample[n : n + BLOCK_ROWS], centers) for n in _starts(sample)])
        order = np.argsort(nearest, kind="stable")
        used, first = np.unique(nearest[order], return_index=True)
        centers[used] = np.add.reduceat(sample[order], first, axis=0)
        empty = np.setdiff1d(np.arange(lists), used)
        centers[empty] = sample[rng.choice(len(sample), len(empty), replace=False)]
        centers *= inverse_lengths(centers)[:, None]
    return centers


def _starts(rows: Values) -> range:
    return range(0, len(rows), BLOCK_ROWS)


def _nearest(rows: Floats, centers: Floats) -> NDArray[np.int64]:
    """The center nearest to each row ``(n, D)``: int64 ``(n,)``."""
    nearest: NDArray[np.int64] = np.argmax(rows @ centers.T, axis=1)
    return nearest


def lists_for(rows: int) -> int:
    """In how many lists rows are sorted: four times their root, at most one a row."""
    return max(1, min(rows, round(_LISTS_PER_ROOT * math.sqrt(rows))))
