"""Network inputs, assembled frame by frame as they come."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from extract_made import RECIPE, SPEC
from visfeat.extraction.inputs import FramePreparer, InputAssembler
from visfeat.frames import Frame
from visfeat.preprocess import Preprocessor
from visfeat.sample import evenly_spaced


def film(count: int, duration_s: Fraction, conversions: list[int]) -> Iterator[Frame]:
    """Frames of equal length whose level is their number; every conversion to RGB is written down."""
    for index in range(count):

        def rgb(index: int = index) -> np.ndarray:
            conversions.append(index)
            return np.full((8, 8, 3), index % 256, np.uint8)

        yield Frame(index, index * duration_s, (index + 1) * duration_s, index == 0, rgb)


def fed(assembler: InputAssembler, frames: Iterator[Frame]) -> list[tuple[int, list[int]]]:
    """When each input came (how many frames were fed before) and the frames in it."""
    found = []
    for number, frame in enumerate(frames, 1):
        found += [(number, given.frame_index.tolist()) for given in assembler.feed(frame)]
    return found + [(-1, given.frame_index.tolist()) for given in assembler.finish()]


def test_inputs_come_with_the_frame_that_completes_them():
    clips = RECIPE.but(clip=4, stride=2, clip_fps=10, tail="overlap")
    assembler = InputAssembler(clips, Preprocessor(SPEC))
    conversions: list[int] = []
    found = fed(assembler, film(18, Fraction(1, 20), conversions))
    assert found == [(7, [0, 2, 4, 6]), (11, [4, 6, 8, 10]), (15, [8, 10, 12, 14]), (-1, [10, 12, 14, 16])]
    # Overlapping clips share their frames, and what no clip shows is never converted.
    assert conversions == list(range(0, 18, 2))


def test_a_frame_that_is_on_display_at_many_times_is_prepared_once():
    conversions: list[int] = []
    assembler = InputAssembler(RECIPE.but(every_s=1), Preprocessor(SPEC))
    found = fed(assembler, film(3, Fraction(4), conversions))
    assert [frames for _, frames in found] == [[n] for n in (0, 1, 2) for _ in range(4)]
    assert conversions == [0, 1, 2]


def test_assemblers_share_what_is_prepared():
    conversions: list[int] = []
    prepare = FramePreparer(Preprocessor(SPEC))
    both = [InputAssembler(RECIPE.but(every_s=Fraction(n, 25)), prepare) for n in (1, 2)]
    frames = film(10, Fraction(1, 25), conversions)
    found = [[given.frame_index.tolist() for one in both for given in one.feed(frame)] for frame in frames]
    assert found == [[[n], [n]] if n % 2 == 0 else [[n]] for n in range(10)]
    assert conversions == list(range(10))


def test_memory_does_not_grow_with_the_video():
    def peak_bytes(count: int) -> int:
        assembler = InputAssembler(RECIPE.but(clip=8, stride=4, consecutive=True, tail="drop"), Preprocessor(SPEC))
        tracemalloc.start()
        try:
            for frame in film(count, Fraction(1, 25), []):
                list(assembler.feed(frame))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_bytes(20)
    # 900 more frames of 192 bytes would be seen.
    assert peak_bytes(1000) < peak_bytes(100) + 40_000


def test_n_frames_need_to_be_told_when():
    with pytest.raises(ValueError, match="4 frames: times_s"):
        InputAssembler(RECIPE.but(frames=4), Preprocessor(SPEC))
    assembler = InputAssembler(RECIPE.but(frames=4), Preprocessor(SPEC), times_s=evenly_spaced(4, Fraction(4, 5)))
    found = fed(assembler, film(20, Fraction(1, 25), []))
    assert [frames for _, frames in found] == [[2], [7], [12], [17]]
