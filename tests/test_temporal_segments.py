"""Which rows belong to which shot, and what pooled rows say of their times."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from visfeat.temporal.moments import mean
from visfeat.temporal.pooling import Pooling
from visfeat.temporal.segments import RowTimes, Segment, ShotSpans, pool_rows, segments_of

MEAN = Pooling((1,), mean)


def times_of(*spans: tuple[float, float]) -> RowTimes:
    starts, ends = np.array(spans, dtype=np.float64).T
    return RowTimes(starts, ends, np.round(starts * 10).astype(np.int64))


def shots_of(*bounds: float) -> ShotSpans:
    return ShotSpans(np.array(bounds[:-1], dtype=np.float64), np.array(bounds[1:], dtype=np.float64))


def test_without_shots_all_rows_are_one_segment() -> None:
    assert segments_of(times_of((0, 1), (1, 2)), None) == ([Segment(slice(0, 2))], 0)


def test_a_row_belongs_where_its_middle_lies() -> None:
    # A clip over a cut goes to the shot that has more of it; one whose middle is the cut begins the next shot.
    found, without = segments_of(times_of((0, 1), (1, 2), (2, 3), (3, 4)), shots_of(0, 1.6, 3.5, 4))
    assert [(one.rows, one.span_s) for one in found] == [
        (slice(0, 2), (0, 1.6)),
        (slice(2, 3), (1.6, 3.5)),
        (slice(3, 4), (3.5, 4)),
    ]
    assert without == 0


def test_a_shot_shorter_than_its_clip_takes_the_one_that_overlaps_it_most() -> None:
    found, without = segments_of(times_of((0, 2), (2, 4)), shots_of(0, 1.8, 2.3, 4))
    assert [one.rows for one in found] == [slice(0, 1), slice(1, 2), slice(1, 2)]
    assert without == 0


def test_a_shot_between_two_sampled_frames_is_counted_and_never_given_another_shots_row() -> None:
    found, without = segments_of(times_of((0, 0.04), (1, 1.04)), shots_of(0, 0.4, 0.7, 2))
    assert [one.span_s for one in found] == [(0, 0.4), (0.7, 2)]
    assert without == 1


def test_an_image_is_itself() -> None:
    times = RowTimes(np.array([np.nan]), np.array([np.nan]), np.array([-1]))
    segments, _ = segments_of(times, shots_of(0, 1))
    pooled = pool_rows(np.array([[3.0]]), times, segments, MEAN)
    assert pooled.values.tolist() == [[3.0]]
    assert np.isnan(pooled.times.start_s[0])
    assert pooled.times.frame_index[0] == -1


@given(
    starts=st.lists(st.integers(0, 40), min_size=1, max_size=20, unique=True).map(sorted),
    length=st.integers(1, 8),
    cuts=st.lists(st.integers(1, 39), max_size=6, unique=True).map(sorted),
)
def test_every_row_is_in_one_shot_and_every_shot_has_rows_or_is_counted(starts, length, cuts) -> None:
    times = times_of(*((start / 4, (start + length) / 4) for start in starts))
    shots = shots_of(0, *(cut / 4 for cut in cuts), 10)
    found, without = segments_of(times, shots)
    assert len(found) + without == len(shots)
    middle = (times.start_s + times.end_s) / 2
    for n, row_middle in enumerate(middle):
        owners = [one for one in found if one.rows.start <= n < one.rows.stop]
        inside = [one for one in owners if one.span_s[0] <= row_middle < one.span_s[1]]
        assert len(inside) == 1 or row_middle >= 10
    for one in found:
        overlap = np.minimum(times.end_s, one.span_s[1]) - np.maximum(times.start_s, one.span_s[0])
        own = np.flatnonzero((middle >= one.span_s[0]) & (middle < one.span_s[1]))
        if not len(own) and one.span_s[1] < 10:
            assert overlap[one.rows.start] == overlap.max() > 0


def test_pooled_rows_last_as_long_as_their_shot_or_their_rows() -> None:
    rows = np.array([[1.0], [3.0], [8.0]])
    times = times_of((0, 0.1), (1, 1.1), (2, 2.1))
    whole = pool_rows(rows, times, segments_of(times, None)[0], MEAN)
    assert (whole.values.tolist(), whole.times.start_s.tolist(), whole.times.end_s.tolist()) == ([[4.0]], [0], [2.1])
    by_shot = pool_rows(rows, times, segments_of(times, shots_of(0, 1.5, 3))[0], MEAN)
    assert by_shot.values.tolist() == [[2.0], [8.0]]
    assert by_shot.times.start_s.tolist() == [0, 1.5]
    assert by_shot.times.end_s.tolist() == [1.5, 3]
    assert by_shot.times.frame_index.tolist() == [0, 20]


def test_steps_keep_the_times_of_their_rows_and_begin_anew_in_each_shot() -> None:
    rows = np.array([[1.0], [3.0], [8.0]])
    times = times_of((0, 0.1), (1, 1.1), (2, 2.1))
    sums = Pooling((1,), lambda part: np.cumsum(part[:], axis=0), steps=True)
    found = pool_rows(rows, times, segments_of(times, shots_of(0, 1.5, 3))[0], sums)
    assert found.values.tolist() == [[1.0], [4.0], [8.0]]
    assert found.times.start_s.tolist() == [0, 1, 2]
    assert found.times.end_s.tolist() == [0.1, 1.1, 2.1]
