"""Copied passages of two videos: runs of rows that are alike in the same order and at the same pace.

Moments that are alike vote for an offset in time, at each of a few speeds (temporal Hough voting: Douze, Jegou and
Schmid, "An image-based approach to video copy detection with spatio-temporal post-filtering", IEEE Transactions on
Multimedia 2010). The line with the most votes is fitted to what lies on it, cut where nothing does for a while, and
lengthened while what follows is nearly alike; then the next line is sought in what is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

SPEEDS = (1.0, 0.98, 1.02, 0.96, 1.04, 0.94, 1.06)
"""Seconds of the second video a second of the first; the fit finds what is between."""
FASTEST = 1.1
LEAST_ROWS = 3
"""A passage has at least so many rows of either video that are alike."""
LEAST_PART = 0.5
"""At least that part of a passage's rows are alike."""
GAP_S = 3.0
"""Rows that are unlike for longer end a passage."""
NEARLY = 0.5
"""Beyond its ends a passage goes on while 1 - cosine is at most that much larger, as a part, than it may be inside."""
SHADOW = 3.0
"""Of two passages of the same moments the worse one is left out where its rows are so many times less alike."""
MOST_PASSAGES = 100
UNLIKE = -1.0
"""The cosine of pairs that no longer count."""
_TOLERANCE = 0.75
"""How far from the line a pair may be, in steps of sampling: half of one as samples lie apart, and some play."""


@dataclass(frozen=True)
class Series:
    """The times of N rows, float64 ``(N,)``, ascending, and when the video ends, in seconds."""

    start_s: Floats
    end_s: float

    @property
    def step_s(self) -> float:
        """The usual time from row to row."""
        if len(self.start_s) < 2:
            return max(self.end_s - float(self.start_s[0]), 1e-3)
        return float(np.median(np.diff(self.start_s)))


@dataclass(frozen=True)
class Aligned:
    """A passage: seconds in the first and in the second video, half-open; score: mean cosine of its rows.

    ``speed``: seconds of the second a second of the first. ``rows``: how many rows of the first are in it.
    """

    first_start_s: float
    first_end_s: float
    second_start_s: float
    second_end_s: float
    score: float
    speed: float
    rows: int


def passages(
    alike: NDArray[np.float32], first: Series, second: Series, *, threshold: float, shortest_s: float
) -> list[Aligned]:
    """The copied passages of two videos, whose rows have the cosines ``alike`` (M, N); the best line first.

    A pair of rows counts from ``threshold`` on; a passage lasts at least ``shortest_s``. No moment of the first video
    is in two passages that show the same moments of the second. Where a scene hardly changes, its moments are alike at
    any offset: of such passages only those stay that are about as good as the best.
    """
    finder = _Finder(alike, first, second, threshold, shortest_s)
    return _without_shadows(list(finder.passages()))


def _without_shadows(found: list[Aligned]) -> list[Aligned]:
    """Leave out what is a scene like that of a far better passage, in most of its time in either video."""
    return [one for one in found if not any(_is_shadow(one, other) for other in found)]


def _is_shadow(one: Aligned, other: Aligned) -> bool:
    if 1 - one.score <= SHADOW * (1 - other.score) + 0.02:
        return False
    spans = (
        ((one.first_start_s, one.first_end_s), (other.first_start_s, other.first_end_s)),
        ((one.second_start_s, one.second_end_s), (other.second_start_s, other.second_end_s)),
    )
    return any(min(a[1], b[1]) - max(a[0], b[0]) > (a[1] - a[0]) / 2 for a, b in spans)


@dataclass(frozen=True)
class _Line:
    """The second video's time as the first one's times ``speed`` plus ``offset_s``."""

    speed: float
    offset_s: float


@dataclass(frozen=True)
class _Run:
    """Rows of the first on a line, without gaps: their numbers, and those of the second beside them."""

    line: _Line
    rows: Longs
    beside: Longs


class _Finder:
    def __init__(
        self, alike: NDArray[np.float32], first: Series, second: Series, threshold: float, shortest_s: float
    ) -> None:
        self._alike = alike.copy()
        self._first, self._second = first, second
        self._threshold, self._shortest_s = threshold, shortest_s
        self._tolerance_s = _TOLERANCE * max(first.step_s, second.step_s)
        self._left, self._right = (found.astype(np.int64) for found in np.nonzero(alike >= threshold))

    def passages(self) -> Iterator[Aligned]:
        for _ in range(MOST_PASSAGES):
            if len(np.unique(self._left)) < LEAST_ROWS or len(np.unique(self._right)) < LEAST_ROWS:
                return
            line = self._fitted(self._most_voted())
            runs = self._runs(line)
            found = [self._lengthened(run) for run in runs if self._is_enough(run)]
            for aligned in map(self._described, found):
                if aligned.first_end_s - aligned.first_start_s >= self._shortest_s:
                    yield aligned
            self._drop([*runs, *found])

    # Lines.

    def _most_voted(self) -> _Line:
        """The line on which most rows of the first lie, each with the weight of its best pair there."""
        width_s = 2 * self._tolerance_s
        weights = 0.25 + (self._alike[self._left, self._right] - self._threshold) / max(1e-6, 1 - self._threshold)
        best, most = _Line(1.0, 0.0), -1.0
        for speed in SPEEDS:
            offsets_s = self._second.start_s[self._right] - speed * self._first.start_s[self._left]
            for phase in (0, 1 / 3, 2 / 3):
                least_s = float(offsets_s.min()) - phase * width_s
                votes = _votes(self._left, ((offsets_s - least_s) / width_s).astype(np.int64), weights)
                peak = int(votes.argmax())
                if votes[peak] > most + 1e-9:
                    best, most = _Line(speed, least_s + (peak + 0.5) * width_s), float(votes[peak])
        return best

    def _fitted(self, line: _Line) -> _Line:
        """The line after least squares over what lies on it, as long as that brings more onto it."""
        best, count = line, 0
        for _ in range(4):
            rows, beside = self._on(line)
            if len(rows) <= count:
                break
            best, count = line, len(rows)
            if len(rows) <= LEAST_ROWS:
                break
            x, y = self._first.start_s[rows], self._second.start_s[beside]
            spread = float(((x - x.mean()) ** 2).sum())
            if spread < 4 * self._tolerance_s**2:
                break
            speed = float(((x - x.mean()) * (y - y.mean())).sum()) / spread
            speed = min(max(speed, 1 / FASTEST), FASTEST)
            line = _Line(speed, float(np.median(y - speed * x)))
        return best

    def _on(self, line: _Line) -> tuple[Longs, Longs]:
        """Rows of the first that have a pair on the line, ascending, and of the second the best beside each."""
        away_s = self._second.start_s[self._right] - line.speed * self._first.start_s[self._left] - line.offset_s
        near = np.flatnonzero(np.abs(away_s) <= self._tolerance_s)
        # Nearest in time first: what is on display does not change at once.
        order = near[np.lexsort((np.abs(away_s[near]), self._left[near]))]
        kept = np.flatnonzero(np.diff(self._left[order], prepend=-1))
        return self._left[order[kept]], self._right[order[kept]]

    # Runs.

    def _runs(self, line: _Line) -> list[_Run]:
        """What lies on the line, cut where nothing does for longer than the gap."""
        rows, beside = self._on(line)
        gap_s = max(GAP_S, 2.5 * self._first.step_s)
        cuts = np.flatnonzero(np.diff(self._first.start_s[rows]) > gap_s) + 1
        return [_Run(line, one, other) for one, other in zip(np.split(rows, cuts), np.split(beside, cuts), strict=True)]

    def _is_enough(self, run: _Run) -> bool:
        distinct = min(len(run.rows), len(np.unique(run.beside)))
        return distinct >= LEAST_ROWS and len(run.rows) >= LEAST_PART * (run.rows[-1] - run.rows[0] + 1)

    def _lengthened(self, run: _Run) -> _Run:
        """The run with the rows before and after it that are nearly alike."""
        least = 1 - (1 - self._threshold) * (1 + NEARLY)
        rows, beside = run.rows.tolist(), run.beside.tolist()
        for step in (-1, 1):
            row = rows[0] - 1 if step < 0 else rows[-1] + 1
            while 0 <= row < len(self._first.start_s):
                other, cosine = self._best_beside(row, run.line)
                if other < 0 or cosine < least:
                    break
                rows.insert(0 if step < 0 else len(rows), row)
                beside.insert(0 if step < 0 else len(beside), other)
                row += step
        return _Run(run.line, np.array(rows, np.int64), np.array(beside, np.int64))

    def _best_beside(self, row: int, line: _Line) -> tuple[int, float]:
        """The row of the second within the tolerance of the line that is most alike; -1 where there is none."""
        at_s = line.speed * self._first.start_s[row] + line.offset_s
        start, stop = np.searchsorted(
            self._second.start_s, [at_s - self._tolerance_s, at_s + self._tolerance_s + 1e-9]
        ).tolist()
        if start == stop:
            return -1, 0.0
        other = start + int(self._alike[row, start:stop].argmax())
        return other, float(self._alike[row, other])

    def _drop(self, runs: list[_Run]) -> None:
        """Forget the pairs of these runs, and all that show the same moments of both."""
        for run in runs:
            self._alike[run.rows[0] : run.rows[-1] + 1, run.beside.min() : run.beside.max() + 1] = UNLIKE
        left = self._alike[self._left, self._right] >= self._threshold
        self._left, self._right = self._left[left], self._right[left]

    # What is reported.

    def _described(self, run: _Run) -> Aligned:
        first, last = int(run.rows[0]), int(run.rows[-1])
        between = [self._best_beside(row, run.line)[1] for row in range(first, last + 1)]
        first_start_s, first_end_s = _span(self._first, first, last)
        second_start_s, second_end_s = _span(self._second, int(run.beside.min()), int(run.beside.max()))
        return Aligned(
            first_start_s=first_start_s,
            first_end_s=first_end_s,
            second_start_s=second_start_s,
            second_end_s=second_end_s,
            score=min(1.0, float(np.mean(between))),
            speed=run.line.speed,
            rows=last - first + 1,
        )


def _votes(rows: Longs, bins: Longs, weights: NDArray[np.floating]) -> Floats:
    """The sum over rows of the largest weight that each has in a bin."""
    order = np.lexsort((-weights, bins, rows))
    is_first = (np.diff(rows[order], prepend=-1) != 0) | (np.diff(bins[order], prepend=-1) != 0)
    kept = order[is_first]
    return np.asarray(np.bincount(bins[kept], weights[kept]), np.float64)


def _span(series: Series, first: int, last: int) -> tuple[float, float]:
    """From when to when rows stand for: half a step around them, at either end of the video to the end itself."""
    half_s = series.step_s / 2
    start_s = 0.0 if first == 0 else max(0.0, float(series.start_s[first]) - half_s)
    is_last = last == len(series.start_s) - 1
    return start_s, series.end_s if is_last else min(series.end_s, float(series.start_s[last]) + half_s)
