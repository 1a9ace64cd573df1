"""Sampling: the frame on display at each time, against a brute-force answer."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visfeat.frames import Frame
from visfeat.recipe import Recipe
from visfeat.sample import evenly_spaced, sample


def never() -> np.ndarray:
    raise AssertionError("sampling must not convert pixels")


def video(durations: list[Fraction], keyframes: tuple[int, ...] = (0,)) -> Iterator[Frame]:
    start = Fraction(0)
    for index, duration in enumerate(durations):
        yield Frame(index, start, start + duration, index in keyframes, never)
        start += duration


def chosen(recipe: Recipe, durations: list[Fraction], **kwargs) -> list[int]:
    samples = list(sample(video(durations, **kwargs), recipe, duration_s=sum(durations, Fraction(0))))
    assert [each.position for each in samples] == list(range(len(samples)))
    return [each.frame.index for each in samples]


def test_every_second_of_25_fps():
    assert chosen(Recipe(), [Fraction(1, 25)] * 75) == [0, 25, 50]


def test_every_second_of_29_97_fps_takes_the_frame_on_display():
    # Frame 29 begins at 29 * 1001/30000 = 0.9676 s and is on display at 1 s; frame 30 begins at 1.001 s.
    assert chosen(Recipe(), [Fraction(1001, 30000)] * 90) == [0, 29, 59, 89]


def test_a_slow_video_shows_a_frame_at_several_times():
    assert chosen(Recipe(every_s=1), [Fraction(5, 2), Fraction(1, 2)]) == [0, 0, 0]


def test_fps_is_exact():
    assert chosen(Recipe(fps="30000/1001"), [Fraction(1001, 30000)] * 300) == list(range(300))


def test_every_frame_and_keyframes():
    durations = [Fraction(1, 10)] * 10
    assert chosen(Recipe(every_frame=True), durations) == list(range(10))
    assert chosen(Recipe(keyframes=True), durations, keyframes=(0, 4, 8)) == [0, 4, 8]


def test_n_frames_are_the_middles_of_equal_parts():
    assert list(evenly_spaced(2, Fraction(10))) == [Fraction(5, 2), Fraction(15, 2)]
    assert chosen(Recipe(frames=3), [Fraction(1)] * 9) == [1, 4, 7]
    assert chosen(Recipe(frames=1), [Fraction(1)] * 9) == [4]
    assert chosen(Recipe(frames=4), [Fraction(1)]) == [0, 0, 0, 0]


def test_a_still_image_is_its_own_sample():
    still = Frame(-1, None, None, True, never)
    for recipe in (Recipe(), Recipe(frames=3), Recipe(keyframes=True), Recipe(every_frame=True)):
        assert list(sample(iter([still]), recipe)) == [(0, None, still)]


def test_a_decoder_is_read_to_its_end_since_it_tells_there_what_was_lost():
    read: list[int] = []

    def frames() -> Iterator[Frame]:
        for index in range(10):
            read.append(index)
            yield Frame(index, Fraction(index), Fraction(index + 1), True, never)

    assert len(list(sample(frames(), Recipe(frames=2), duration_s=Fraction(10)))) == 2
    assert read == list(range(10))


def test_no_frame_stands_in_for_what_was_lost():
    def damaged() -> Iterator[Frame]:
        yield Frame(0, Fraction(0), Fraction(3, 2), True, never)
        yield Frame(1, Fraction(9, 2), Fraction(6), True, never)

    found = [(each.position, each.frame.index) for each in sample(damaged(), Recipe())]
    assert found == [(0, 0), (1, 0), (2, 1)]


@given(
    durations=st.lists(st.fractions(min_value=Fraction(1, 100), max_value=3), min_size=1, max_size=40),
    interval=st.fractions(min_value=Fraction(1, 30), max_value=5),
)
def test_the_frame_at_t_is_the_last_that_started(durations, interval):
    starts = np.cumsum([Fraction(0), *durations])
    expected, time = [], Fraction(0)
    while time < starts[-1]:
        expected.append(max(i for i, start in enumerate(starts[:-1]) if start <= time))
        time += interval
    assert chosen(Recipe(every_s=interval), durations) == expected


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_n_frames_of_any_video_are_n(frames):
    for count in (1, 3, 50):
        assert len(chosen(Recipe(frames=frames), [Fraction(1, 24)] * count)) == frames
