"""Animated images: a first frame, or a video with exact times."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from media_made import (
    encoded,
    only_picture,
    opened_bytes,
    quadrants,
)

DURATIONS_MS = [100, 250, 40, 1000]


def animation(format_name: str, **options) -> bytes:
    frames = [Image.new("RGB", (20, 10), (60 * n, 10, 0)) for n in range(4)]
    more = {"lossless": True} if format_name == "WEBP" else {}
    return encoded(
        frames[0], format_name, save_all=True, append_images=frames[1:], duration=DURATIONS_MS, **more, **options
    )


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_its_first_frame_by_default(tmp_path, format_name):
    picture = only_picture(opened_bytes(tmp_path / "a", animation(format_name)))
    assert picture[0, 0].tolist() == [0, 10, 0]


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_as_a_video_has_exact_times(tmp_path, format_name):
    decoder = opened_bytes(tmp_path / "a", animation(format_name), animations="video")
    frames = list(decoder.frames())
    assert decoder.info.num_frames == len(frames) == 4
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    starts = [Fraction(sum(DURATIONS_MS[:n]), 1000) for n in range(5)]
    assert [(frame.start_s, frame.end_s) for frame in frames] == list(itertools.pairwise(starts))
    reds = [int(frame.rgb()[5, 5, 0]) for frame in frames]  # read after all frames were decoded
    assert np.abs(np.array(reds) - [0, 60, 120, 180]).max() <= 6


def test_a_default_picture_is_not_part_of_the_animation(tmp_path):
    decoder = opened_bytes(tmp_path / "a.png", animation("PNG", default_image=True), animations="video")
    frames = list(decoder.frames())
    assert [int(frame.rgb()[0, 0, 0]) for frame in frames] == [60, 120, 180]


def test_frames_of_no_duration_last_a_tenth_of_a_second(tmp_path):
    frames = [Image.new("RGB", (20, 10), (60 * n, 10, 0)) for n in range(3)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    decoder = opened_bytes(tmp_path / "a.gif", content, animations="video")
    assert [frame.start_s for frame in decoder.frames()] == [0, Fraction(1, 10), Fraction(2, 10)]


def test_a_still_picture_stays_one_where_animations_are_videos(tmp_path):
    only_picture(opened_bytes(tmp_path / "a.gif", encoded(quadrants(), "GIF"), animations="video"))


def test_a_broken_animation_keeps_the_frames_before(tmp_path):
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(6)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    decoder = opened_bytes(tmp_path / "a.gif", content[: len(content) * 6 // 10], animations="video")
    kept = list(decoder.frames())
    assert 1 <= len(kept) < 6
    assert decoder.problem is not None or decoder.info.num_frames == len(kept)
