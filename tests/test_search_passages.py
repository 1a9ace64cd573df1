"""Passages: neighboring rows become one, and every row is in at most one of them."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from visfeat.search.passages import Passages, Span, descending


def spans_of(scores, lengths=None, middle=0.0, most=99):
    """The spans of all rows; ``lengths``: how many rows each item has."""
    values = np.array(scores, np.float32)
    item = np.repeat(np.arange(len(lengths or [1]), dtype=np.int32), lengths or [len(scores)])
    made = Passages(item, lambda first, stop: values[first:stop], middle)
    return [span for span, _ in zip(made.of(descending(values)), range(most), strict=False)]


def bounds(spans):
    return [(span.first, span.last, span.best) for span in spans]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.1, 0.6, 0.9, 0.5, 0.2], [(1, 3, 2)]),  # above 0.45; the rest is its slope
        ([0.9, 0.8, 0.88], [(0, 2, 0)]),  # a dip above half of the best does not part them
        ([0.9, 0.2, 0.8], [(0, 0, 0), (2, 2, 2)]),  # a deep one does
        ([0.2, 0.9, 0.3, 0.1, 0.25, 0.7], [(1, 1, 1), (5, 5, 5)]),
        ([0.9, 0.4, 0.44, 0.7], [(0, 0, 0), (2, 3, 3)]),  # nothing goes into what is taken
        ([0.5], [(0, 0, 0)]),
    ],
)
def test_a_passage_goes_to_half_of_the_best(scores, expected):
    assert bounds(spans_of(scores)) == expected


def test_the_middle_of_the_store_is_where_nothing_is_alike():
    scores = [0.7, 0.8, 0.9, 0.8, 0.7]
    assert bounds(spans_of(scores)) == [(0, 4, 2)]
    assert bounds(spans_of(scores, middle=0.66)) == [(1, 3, 2)]


def test_items_are_never_joined_and_images_stand_alone():
    spans = spans_of([0.9, 0.8, 0.85, 0.7], [1, 2, 1])
    assert bounds(spans) == [(0, 0, 0), (1, 2, 2), (3, 3, 3)]
    assert spans[1] == Span(1, 2, 2, pytest.approx(0.85))


def test_rows_that_do_not_take_part_end_a_passage():
    assert bounds(spans_of([0.9, -np.inf, 0.8])) == [(0, 0, 0), (2, 2, 2)]


def test_long_videos_are_walked_through():
    scores = np.full(1000, 0.8)
    scores[[0, 999]] = 0.1
    scores[500] = 0.9
    assert bounds(spans_of(scores)) == [(1, 998, 500)]


LEVELS = st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.45, 0.5, 0.9, 1.0]), min_size=1, max_size=40)


@given(LEVELS, st.data())
def test_the_laws_of_passages(scores, data):
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(scores) - 1)), max_size=4)) - {len(scores)})
    lengths = np.diff([0, *cuts, len(scores)]).tolist()
    middle = data.draw(st.sampled_from([-0.5, 0.0, 0.4]))
    spans = spans_of(scores, lengths, middle)
    values = np.array(scores, np.float32)
    item = np.repeat(np.arange(len(lengths)), lengths)
    covered = [row for span in spans for row in range(span.first, span.last + 1)]
    assert len(covered) == len(set(covered))
    assert [span.score for span in spans] == sorted((span.score for span in spans), reverse=True)
    assert spans[0].best == int(np.argmax(values))
    for span in spans:
        inside = values[span.first : span.last + 1]
        assert len(set(item[span.first : span.last + 1])) == 1
        assert inside.max() == values[span.best] == np.float32(span.score)
        assert len(inside) == 1 or (inside >= np.float32((span.score + middle) / 2) - 1e-6).all()
    # Each item answers, and with its best row.
    assert {int(item[span.best]) for span in spans} == set(item.tolist())
    # Fewer asked for are the first of more.
    assert spans_of(scores, lengths, middle, most=2) == spans[:2]


@given(st.lists(st.sampled_from([-np.inf, 0.0, 0.25, 0.5]), max_size=200))
def test_descending_gives_all_finite_scores_in_order(scores):
    values = np.array(scores, np.float32)
    expected = sorted((row for row in range(len(scores)) if scores[row] > -1), key=lambda row: (-scores[row], row))
    assert [row for row, _ in descending(values)] == expected
