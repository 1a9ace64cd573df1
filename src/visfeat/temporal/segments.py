"""Which rows belong to which shot, and what they are pooled to.

A row belongs to the shot in which the middle of its time lies. A shot without one takes the row that overlaps it
most: clips are longer than short shots. Where no row overlaps it either - a shot between two sampled frames - it has
no vector, since that of another shot would be a false one, and whoever asked is told how many such shots there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, SupportsFloat

import numpy as np
from numpy.typing import NDArray

from visfeat.temporal.pooling import Pooling
from visfeat.temporal.rows import Doubles, RowSequence


@dataclass(frozen=True, slots=True)
class RowTimes:
    """When rows are: start_s, end_s float64 ``(N,)``, NaN of images; frame_index int64 ``(N,)``, the first frame."""

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    frame_index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start_s)

    def part(self, which: slice | NDArray[np.integer]) -> RowTimes:
        """The times of some of the rows."""
        return RowTimes(self.start_s[which], self.end_s[which], self.frame_index[which])


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive rows that are pooled to one, and the time that the one stands for; None: that of its rows."""

    rows: slice
    span_s: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ShotSpans:
    """The shots of one video: start_s, end_s float64 ``(S,)``, contiguous and in order."""

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.start_s)


class Spanned(Protocol):
    """What has a beginning and an end, as shots have."""

    @property
    def start_s(self) -> SupportsFloat:
        """Seconds after the first displayed frame."""

    @property
    def end_s(self) -> SupportsFloat:
        """When its last frame ends."""


def spans_of(shots: Sequence[Spanned]) -> ShotSpans:
    """The times of shots as arrays."""
    starts, ends = [float(shot.start_s) for shot in shots], [float(shot.end_s) for shot in shots]
    return ShotSpans(np.array(starts, dtype=np.float64), np.array(ends, dtype=np.float64))


def segments_of(times: RowTimes, shots: ShotSpans | None) -> tuple[list[Segment], int]:
    """What is pooled: all rows, or those of each shot; and the number of shots without a row.

    An image, which has no time, is a segment of its own.
    """
    if shots is None or len(shots) == 0 or np.isnan(times.start_s).any():
        return [Segment(slice(0, len(times)))], 0
    found = rows_of_shots(times, shots)
    spans = [(float(start), float(end)) for start, end in zip(shots.start_s, shots.end_s, strict=True)]
    kept = [Segment(rows, span) for rows, span in zip(found, spans, strict=True) if rows is not None]
    return kept, len(shots) - len(kept)


def rows_of_shots(times: RowTimes, shots: ShotSpans) -> list[slice | None]:
    """The rows of each shot, which are consecutive since rows come in the order of their times; None without any.

    Rows before the first shot or after the last, where a damaged end was read differently, belong to these.
    """
    middle = (times.start_s + times.end_s) / 2
    owner = np.clip(np.searchsorted(shots.start_s, middle, side="right") - 1, 0, len(shots) - 1)
    bounds = np.searchsorted(owner, np.arange(len(shots) + 1)).tolist()
    return [
        slice(first, stop) if stop > first else _most_overlapping(times, float(start), float(end))
        for first, stop, start, end in zip(bounds, bounds[1:], shots.start_s, shots.end_s, strict=False)
    ]


def _most_overlapping(times: RowTimes, start_s: float, end_s: float) -> slice | None:
    overlap_s = np.minimum(times.end_s, end_s) - np.maximum(times.start_s, start_s)
    best = int(np.argmax(overlap_s))
    return slice(best, best + 1) if overlap_s[best] > 0 else None


@dataclass(frozen=True, slots=True)
class PooledRows:
    """values: float64 ``(n, *shape)``, one a segment, or of an LSTM's steps one a row; and their times."""

    values: Doubles
    times: RowTimes

    def __len__(self) -> int:
        return len(self.values)


def pool_rows(rows: RowSequence, times: RowTimes, segments: Sequence[Segment], pooling: Pooling) -> PooledRows:
    """Pool the rows of each segment.

    A pooled row lasts as long as its shot, else from the start of its first row to the end of its last, and has the
    frame index of its first row. A step has its row's own times.
    """
    whole = slice(0, len(rows))
    parts = [rows if segment.rows == whole else rows[segment.rows] for segment in segments]
    if pooling.steps:
        values = [pooling.apply(part) for part in parts]
        index = np.concatenate([np.arange(len(rows))[segment.rows] for segment in segments])
        return PooledRows(np.concatenate(values), times.part(index))
    spans = [segment.span_s or _span_s(times.part(segment.rows)) for segment in segments]
    starts, ends = np.array(spans).reshape(-1, 2).T
    first = np.array([segment.rows.start for segment in segments], dtype=np.intp)
    shaped = np.array([pooling.apply(part) for part in parts]).reshape(-1, *pooling.shape)
    return PooledRows(shaped, RowTimes(starts, ends, times.frame_index[first]))


def _span_s(times: RowTimes) -> tuple[float, float]:
    return float(times.start_s[0]), float(times.end_s[-1])
