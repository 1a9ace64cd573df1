"""Clips against windows written out, and the formula that other tools use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visfeat.clips import clips, number_of_clips


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("overlap", [[0, 1, 2, 3], [3, 4, 5, 6], [4, 5, 6, 7]]),
        ("pad", [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 7, 7]]),
        ("loop", [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 6, 7]]),
        ("drop", [[0, 1, 2, 3], [3, 4, 5, 6]]),
    ],
)
def test_what_remains_after_the_last_full_window(tail, expected):
    assert list(clips(range(8), 4, stride=3, tail=tail)) == expected


def test_a_video_shorter_than_a_clip_gives_one():
    assert list(clips(range(3), 5, stride=5)) == [[0, 1, 2, 2, 2]]
    assert list(clips(range(3), 5, stride=5, tail="loop")) == [[0, 1, 2, 0, 1]]
    assert list(clips(range(3), 5, stride=5, tail="drop")) == [[0, 1, 2, 2, 2]]
    assert list(clips([], 5, stride=5)) == []


def test_a_stride_longer_than_the_clip_leaves_frames_out():
    assert list(clips(range(10), 2, stride=4, tail="drop")) == [[0, 1], [4, 5], [8, 9]]
    assert list(clips(range(8), 2, stride=4, tail="pad")) == [[0, 1], [4, 5]]


@given(
    frames=st.integers(0, 60),
    length=st.integers(1, 12),
    stride=st.integers(1, 15),
    tail=st.sampled_from(["overlap", "pad", "loop", "drop"]),
)
def test_windows_are_those_of_the_formula(frames, length, stride, tail):
    found = list(clips(range(frames), length, stride=stride, tail=tail))
    full = [list(range(k * stride, k * stride + length)) for k in range(max(0, (frames - length) // stride + 1))]
    assert found[: len(full)] == full
    assert len(found) == number_of_clips(frames, length, stride=stride, tail=tail)
    assert all(len(clip) == length for clip in found)
    if frames and tail == "overlap":
        assert found[-1][-1] == frames - 1
