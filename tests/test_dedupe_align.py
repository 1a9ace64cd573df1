"""Passages of videos: made sequences whose common seconds are known."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from dedupe_made import directions, near
from visfeat.dedupe.align import Series, passages

THRESHOLD = 0.8


def moments(times_s: np.ndarray, values: np.ndarray, shown_s: float = 0.5) -> np.ndarray:
    """What a film shows at these times: another picture each ``shown_s``."""
    return values[(times_s / shown_s + 1e-6).astype(int) % len(values)]


def series(count: int, step_s: float = 0.5) -> Series:
    return Series(np.arange(count) * step_s, count * step_s)


def found(first, second, first_series=None, second_series=None, shortest_s=2.0):
    return passages(
        first @ second.T,
        first_series or series(len(first)),
        second_series or series(len(second)),
        threshold=THRESHOLD,
        shortest_s=shortest_s,
    )


def test_a_passage_embedded_elsewhere_has_both_its_times():
    film, other = directions(60, 1), directions(60, 2)
    copy = np.concatenate([other[:20], near(film[10:30], 0.9), other[20:40]])
    (one,) = found(copy, film)
    assert (one.first_start_s, one.first_end_s) == pytest.approx((10, 20), abs=0.25)
    assert (one.second_start_s, one.second_end_s) == pytest.approx((5, 15), abs=0.25)
    assert one.score == pytest.approx(0.9, abs=0.01)
    assert one.speed == pytest.approx(1)
    assert one.rows == 20


@pytest.mark.parametrize("speed", [0.96, 0.98, 1.0, 1.04, 1.05])
def test_a_film_at_another_speed_is_one_passage(speed):
    film = directions(200, 3)
    times_s = np.arange(0, 90, 0.5)
    original, copy = moments(times_s, film), moments(times_s * speed, film)
    (one,) = found(copy, original)
    assert one.speed == pytest.approx(speed, abs=0.005)
    lasts_s = min(90.0, 90 / speed)
    assert (one.first_start_s, one.first_end_s) == pytest.approx((0, lasts_s), abs=0.75)
    assert (one.second_start_s, one.second_end_s) == pytest.approx((0, lasts_s * speed), abs=0.75)


@pytest.mark.parametrize("step_s", [0.25, 0.4, 1.0])
def test_other_rates_of_sampling_are_aligned(step_s):
    film = directions(40, 4)
    first, second = np.arange(0, 38, 0.5), np.arange(3, 30, step_s)
    rows = moments(first, film, 1.0), moments(second, film, 1.0)
    times = Series(first, 38.0), Series(second - 3, 27.0)
    (one,) = found(*rows, *times)
    assert (one.first_start_s, one.first_end_s) == pytest.approx((3, 30), abs=1.1)
    assert (one.second_start_s, one.second_end_s) == pytest.approx((0, 27), abs=1.1)


def test_two_passages_in_another_order():
    film = directions(80, 5)
    copy = np.concatenate([film[40:60], film[10:30]])
    one, other = sorted(found(copy, film), key=lambda each: each.first_start_s)
    assert (one.second_start_s, other.second_start_s) == pytest.approx((20, 5), abs=0.25)
    assert (one.first_end_s, other.first_start_s) == pytest.approx((10, 10), abs=0.3)


def test_a_gap_of_bad_rows_does_not_cut_a_passage_and_a_long_one_does():
    film, other = directions(60, 6), directions(60, 7)
    copy = film[:40].copy()
    copy[15:19] = other[15:19]
    (one,) = found(copy, film)
    assert (one.first_start_s, one.first_end_s) == pytest.approx((0, 20), abs=0.25)
    copy[12:28] = other[12:28]
    assert len(found(copy, film)) == 2


def test_rows_in_no_order_are_no_passage():
    film = directions(40, 8)
    shuffled = film[np.random.default_rng(0).permutation(40)]
    assert found(shuffled, film) == []
    assert found(directions(40, 9), film) == []


def test_of_a_still_scene_no_moment_is_in_two_passages_and_short_ones_are_left_out():
    still = near(np.repeat(directions(1, 10), 30, axis=0), 0.97)
    one, *others = found(still, still[:20])
    assert one.second_end_s - one.second_start_s == pytest.approx(10, abs=0.5)
    for before, after in combinations((one, *others), 2):
        assert min(before.first_end_s, after.first_end_s) <= max(before.first_start_s, after.first_start_s) or min(
            before.second_end_s, after.second_end_s
        ) <= max(before.second_start_s, after.second_start_s)
    film = directions(40, 11)
    copy = np.concatenate([directions(10, 12), film[5:9], directions(10, 13)])
    assert found(copy, film, shortest_s=3.0) == []
    assert len(found(copy, film, shortest_s=1.5)) == 1


def test_ends_go_on_while_rows_are_nearly_alike():
    film = directions(40, 14)
    copy = np.concatenate([near(film[5:25], 0.9), near(film[25:27], 0.75)])
    (one,) = found(copy, film)
    assert one.second_end_s == pytest.approx(13.5, abs=0.3)


def test_a_scene_that_hardly_changes_is_aligned_where_it_is_the_same():
    scene = near(np.repeat(directions(1, 15), 20, axis=0), 0.92, 16)  # moments at a cosine of about 0.85
    copy = near(scene[10:], 0.99, 17)
    (one,) = found(copy, scene)
    assert (one.second_start_s, one.second_end_s) == pytest.approx((5, 10), abs=0.3)
