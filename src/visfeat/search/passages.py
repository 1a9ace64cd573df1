"""Passages: neighboring rows of one video that answer a question as one, from the best of them outwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visfeat.search.exact import largest

ScoresOf = Callable[[int, int], NDArray[np.float32]]
"""The scores of the rows ``[first, stop)``."""
_CHUNK_ROWS = 32


@dataclass(frozen=True, slots=True)
class Span:
    """Rows ``[first, last]`` of one item, the best of them, and its score."""

    first: int
    last: int
    best: int
    score: float


class Passages:
    """Makes spans of rows that come in the order of their scores, the best one first.

    From its best row a span goes as far to either side as the score stays above half of the way from ``middle`` (what
    the store's rows score in general) to the best one. What follows as long as the score goes on falling is the slope
    of the same hill, and no answer of its own. An image is a span of one row.
    """

    def __init__(self, item: NDArray[np.int32], scores_of: ScoresOf, middle: float) -> None:
        """``item`` (N,): which item each row is of, those of one item together and in order of time."""
        self._item = item
        self._scores_of = scores_of
        self._middle = middle
        self._hills: dict[int, list[tuple[int, int]]] = {}

    def of(self, ranked: Iterable[tuple[int, float]]) -> Iterator[Span]:
        """The spans of rows (index and score) that come in descending order of their scores."""
        for row, score in ranked:
            item = int(self._item[row])
            hills = self._hills.setdefault(item, [])
            if not any(first <= row <= last for first, last in hills):
                start, stop = np.searchsorted(self._item, [item, item + 1]).tolist()
                start = max([start, *(last + 1 for _, last in hills if last < row)])
                stop = min([stop, *(first for first, _ in hills if first > row)])
                span, hill = self._grown(row, score, start, stop)
                hills.append(hill)
                yield span

    def _grown(self, row: int, score: float, start: int, stop: int) -> tuple[Span, tuple[int, int]]:
        """The span around its best row among the rows ``[start, stop)``, and the hill on which it lies."""
        level = (score + self._middle) / 2
        first, foot = self._reach(self._leftwards(row, start), row, score, level)
        last, other_foot = self._reach(self._rightwards(row, stop), row, score, level)
        return Span(first, last, row, score), (foot, other_foot)

    @staticmethod
    def _reach(outwards: Iterator[tuple[int, float]], row: int, score: float, level: float) -> tuple[int, int]:
        """The last row in one direction that is of the span, and the last one of its slope."""
        reached = foot = row
        inside, before = True, score
        for index, value in outwards:
            inside = inside and value >= level
            if not inside and value > before:
                break
            reached, foot, before = index if inside else reached, index, value
        return reached, foot

    def _rightwards(self, row: int, stop: int) -> Iterator[tuple[int, float]]:
        for first in range(row + 1, stop, _CHUNK_ROWS):
            scores = self._scores_of(first, min(first + _CHUNK_ROWS, stop))
            yield from zip(range(first, first + len(scores)), scores.tolist(), strict=True)

    def _leftwards(self, row: int, start: int) -> Iterator[tuple[int, float]]:
        for last in range(row, start, -_CHUNK_ROWS):
            first = max(last - _CHUNK_ROWS, start)
            scores = self._scores_of(first, last)[::-1]
            yield from zip(range(last - 1, first - 1, -1), scores.tolist(), strict=True)


def descending(scores: NDArray[np.float32]) -> Iterator[tuple[int, float]]:
    """Index and score of all finite scores ``(N,)``, the largest first; as many are sorted as are asked for."""
    given = 0
    for count in (64, 4096, len(scores)):
        if given < min(count, len(scores)):
            order, values = largest(scores, count)
            for row, value in zip(order[given:].tolist(), values[given:].tolist(), strict=True):
                if value == -np.inf:
                    return
                yield row, value
            given = len(order)
