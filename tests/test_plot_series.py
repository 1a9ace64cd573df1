"""The numbers behind the pictures, against slow and plain ways to the same."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from visfeat.durations import moment
from visfeat.errors import UsageError
from visfeat.plot.clock import check_moment, clock, ticks_s
from visfeat.plot.motion import best_measure, frame_difference
from visfeat.plot.series import binned, edges_s, evenly, interval_for, row_at, self_similarity
from visfeat.plot.thumbnails import Gallery, Span, apart, slots


def test_self_similarity_is_the_cosine_of_each_with_each():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(7, 3, 2)).astype(np.float32)
    values[4] = 0
    found = self_similarity(values)
    for i, one in enumerate(values):
        for j, other in enumerate(values):
            lengths = np.linalg.norm(one) * np.linalg.norm(other)
            expected = float((one * other).sum() / lengths) if lengths else 0.0
            assert found[i, j] == pytest.approx(expected, abs=1e-6)
    assert found.max() <= 1


@given(st.integers(0, 500), st.integers(1, 60))
def test_evenly_spreads_over_all(count, most):
    chosen = evenly(count, most).tolist()
    assert len(chosen) == min(count, most)
    assert chosen == sorted(set(chosen))
    assert not chosen or (chosen[0] == 0 and count - chosen[-1] <= math.ceil(count / most))
    gaps = np.diff([*chosen, count])
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


@given(st.lists(st.floats(0.01, 3), min_size=1, max_size=80), st.integers(1, 90), st.randoms())
def test_bins_are_means_and_maxima_of_what_starts_in_them(steps, most, random):
    starts = np.cumsum([0, *steps[:-1]])
    length = float(starts[-1] + steps[-1])
    values = np.array([random.uniform(0, 9) for _ in steps])
    found = binned(starts, values, length, most)
    if len(values) <= most:
        assert found.mean.tolist() == values.tolist()
        assert found.edges_s.tolist() == [*starts, length]
        return
    for low, high, mean, largest in zip(found.edges_s, found.edges_s[1:], found.mean, found.largest, strict=False):
        inside = [v for s, v in zip(starts, values, strict=True) if low <= s < high]
        assert math.isnan(mean) == (not inside)
        if inside:
            assert mean == pytest.approx(sum(inside) / len(inside))
            assert largest == max(inside)


def test_rows_stand_for_the_time_up_to_the_next():
    starts, ends = np.array([0.0, 1.0, 2.0, 4.0]), np.array([0.04, 1.04, 2.04, 4.04])
    edges = edges_s(starts, ends, 9.0)
    assert edges.tolist() == [0, 1, 2, 4, 5]
    assert [row_at(edges, at) for at in (0, 0.99, 1, 3.9, 4.99, 5, -1)] == [0, 0, 1, 2, 3, None, None]
    assert edges_s(np.array([0.0]), np.array([0.64]), 0.64).tolist() == [0, 0.64]
    assert [edges_s(starts, ends, length)[-1] for length in (4.5, 5.9, 6.1)] == [4.5, 5.9, 5]


def test_times_are_read_and_written():
    assert [clock(t) for t in (0, 59.96, 60, 3600, 0.25)] == ["0:00", "1:00", "1:00", "1:00:00", "0:00.2"]
    assert moment("12.5s") == moment("12.5") == moment("0:12.5") == Fraction(25, 2)
    assert moment("1:02:03") == 3723
    assert moment("0") == moment("0.0s") == moment("0 min") == 0
    for text in ("cat.png", "1:", "1:75", "-3s", "", "0x", "0mms"):
        with pytest.raises(ValueError, match="is not a duration|more than 0"):
            moment(text)
    with pytest.raises(UsageError, match=r"--query 9s: v.mp4 goes from 0 to 5 s"):
        check_moment(9, 5, video="v.mp4")


@given(st.floats(0.05, 90_000), st.integers(2, 20))
def test_ticks_are_round_and_few(length, most):
    ticks = ticks_s(length, most)
    assert ticks[0] == 0
    assert len(ticks) <= most + 1
    assert ticks[-1] <= length + 0.05
    assert len({clock(tick) for tick in ticks}) == len(ticks)


def test_short_videos_are_sampled_more_often():
    assert [interval_for(length) for length in (0, 12, 24, 60, 119, 120)] == [
        Fraction(1, 10), Fraction(1, 10), Fraction(1, 5), Fraction(1, 2), Fraction(1, 2), Fraction(1),
    ]  # fmt: skip


@given(st.lists(st.floats(0.02, 30), min_size=1, max_size=40), st.floats(0.05, 1.2))
def test_pictures_never_overlap_and_show_their_own_shot(lengths, share):
    bounds = np.cumsum([0, *lengths]).tolist()
    shots = [Span(*pair) for pair in pairwise(bounds)]
    width = bounds[-1] * share
    found = slots(shots, width, bounds[-1])
    assert len(found) * width <= bounds[-1] * (1 + 1e-9)
    assert bool(found) == (share <= 1)
    for slot in found:
        assert width / 2 - 1e-6 <= slot.middle_s <= bounds[-1] - width / 2 + 1e-6
        assert shots[slot.shot].start_s <= slot.moment_s <= shots[slot.shot].end_s
        assert abs(slot.middle_s - slot.moment_s) <= width / 2 + 1e-6
    for one, following in pairwise(found):
        assert following.middle_s - one.middle_s >= width * (1 - 1e-9)


def test_moving_apart_is_least_squares():
    wanted = [1.0, 1.2, 5.0, 5.1, 9.9]
    found = np.array(apart(wanted, 1.0, 10.0))
    cost = ((found - wanted) ** 2).sum()
    assert np.diff(found).min() >= 1 - 1e-9
    rng = np.random.default_rng(0)
    for _ in range(2000):
        other = np.clip(found + rng.normal(0, 0.2, len(found)), 0.5, 9.5)
        if np.diff(other).min() >= 1:
            assert ((other - wanted) ** 2).sum() >= cost - 1e-9


def test_a_gallery_stays_small_and_even():
    gallery = Gallery(most=8)
    for number in range(1000):
        if gallery.wants_next():
            gallery.add(float(number), np.full((2, 3, 3), number % 251, np.uint8))
    nearest = [gallery.nearest(at, Span(0, 1000))[0, 0, 0] for at in range(0, 1000, 10)]
    assert 4 <= len(set(nearest)) <= 8
    assert gallery.shape == (2, 3, 3)
    assert gallery.nearest(5, Span(1, 2)) is None


def test_motion_of_a_picture_that_moves():
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 256, (20, 40, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    assert frame_difference(picture, picture) == 0
    assert frame_difference(np.zeros_like(picture), np.full_like(picture, 7)) == 7
    measure = best_measure()
    still, moved = measure.between(picture, picture), measure.between(picture, np.roll(picture, 3, axis=1))
    assert still == pytest.approx(0, abs=0.05)
    assert moved > 0.5
    if "flow" in measure.label:
        assert moved == pytest.approx(100 * 3 / 160, rel=0.25)
