"""Measures of the benchmark of copies, by hand-made cases whose values are known."""

from __future__ import annotations

import pytest

from benchmarks.copy_scores import Match, average_precision, boundary_errors_s, passage_average_precision

TRUTH = [Match("q", "r", (10, 20), (0, 10)), Match("p", "r", (0, 10), (30, 40))]


def test_average_precision_of_pairs_is_the_sum_of_precision_times_new_recall():
    assert average_precision([0.9, 0.8, 0.7], [True, True, False], 2) == 1
    assert average_precision([0.9, 0.8, 0.7], [True, False, True], 4) == pytest.approx(1 / 4 + 2 / 3 / 4)
    assert average_precision([0.9, 0.9], [False, True], 1) == 0.5  # equal scores come together
    assert average_precision([], [], 3) == 0


def test_average_precision_of_passages():
    assert passage_average_precision(TRUTH, TRUTH) == pytest.approx(1)
    assert passage_average_precision(TRUTH[:1], TRUTH) == pytest.approx(0.5)
    twice_as_long = Match("q", "r", (5, 25), (0, 10), 0.9)
    # Of the query's 20 s half is true, of the reference's all: the geometric mean.
    assert passage_average_precision([twice_as_long], TRUTH) == pytest.approx(0.5 * 0.5**0.5)
    elsewhere = Match("q", "r", (10, 20), (50, 60), 0.95)
    assert passage_average_precision([elsewhere], TRUTH) == 0
    assert passage_average_precision([elsewhere, TRUTH[1]], TRUTH) == pytest.approx(0.5)


def test_boundary_errors_are_those_of_the_passage_that_overlaps_most():
    found = [Match("q", "r", (11, 19.5), (0.5, 10)), Match("q", "r", (19, 20), (9, 10))]
    assert boundary_errors_s(found, TRUTH) == [1, 0.5, 0.5, 0]
    assert boundary_errors_s([], TRUTH) == []
