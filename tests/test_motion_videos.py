"""Videos whose class no single frame tells: laws of what happens in them, and what comes out of the files."""

from __future__ import annotations

from dataclasses import fields

import av
import numpy as np
import pytest

from benchmarks.motion_videos import (
    CLASSES,
    FPS,
    FRAMES,
    PAIRS,
    REACH_PX,
    SIDE_PX,
    TEXTURES,
    Course,
    course,
    draw,
    with_black_end,
    write_motion_videos,
)

MANY = 400
NUMBERS = [field.name for field in fields(Course)]
# The number that the classes of a pair change, in opposite directions.
CHANGED = {"left": "x", "up": "y", "clockwise": "angle", "grow": "length", "appear": "opacity", "red_blue": "blue"}


def courses(label):
    return [course(label, np.random.default_rng([7, n])) for n in range(MANY)]


@pytest.mark.parametrize("label", CLASSES)
def test_a_random_frame_has_the_same_numbers_in_every_class(label):
    for name in NUMBERS:
        values = np.stack([getattr(one, name) for one in courses(label)]) % (1 if name == "angle" else np.inf)
        if name == "blue":
            assert set(np.unique(values)) == {0.0, 1.0}
            assert values.mean() == pytest.approx(0.5, abs=0.1)
        else:
            # Evenly from 0 to 1: each quarter holds a quarter.
            shares = np.histogram(values, bins=4, range=(0, 1))[0] / values.size
            assert shares == pytest.approx(np.full(4, 0.25), abs=0.08)


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair[0] in CHANGED])
def test_a_class_played_backwards_is_its_opposite(pair):
    name = CHANGED[pair[0]]
    directions = []
    for label in pair:
        steps = np.diff(np.stack([getattr(one, name) for one in courses(label)]), axis=1)
        assert (steps >= -1e-9).all() or (steps <= 1e-9).all()
        backwards = np.diff(np.stack([getattr(one.reversed(), name) for one in courses(label)]), axis=1)
        assert np.allclose(backwards, -steps[:, ::-1])
        directions.append(np.sign(steps.sum()))
    assert directions[0] == -directions[1]


def test_of_slow_and_fast_only_the_number_of_turns_differs():
    lengths = {}
    for label in ("slow", "fast"):
        moved = [one.x if np.ptp(one.x) else one.y for one in courses(label)]
        assert all(np.ptp(one.x) == 0 or np.ptp(one.y) == 0 for one in courses(label))
        lengths[label] = np.mean([np.abs(np.diff(values)).sum() for values in moved])
    assert lengths["fast"] > 2 * lengths["slow"]


def test_only_the_changed_number_changes():
    for first, name in CHANGED.items():
        one = courses(first)[0]
        assert {other for other in NUMBERS if np.ptp(getattr(one, other)) > 0} == {name}


def test_the_bar_is_where_the_course_says():
    still = {name: np.full(FRAMES, 0.5) for name in NUMBERS} | {"blue": np.zeros(FRAMES), "opacity": np.ones(FRAMES)}
    rising = np.linspace(0, 1, FRAMES)
    frames = draw(Course(**(still | {"x": rising})), np.full((64, 64), 200.0), np.zeros((64, 64)))
    columns = np.arange(SIDE_PX)
    centers = [(frame[:, :, 0].sum(axis=0) * columns).sum() / frame[:, :, 0].sum() for frame in frames]
    assert centers == pytest.approx((SIDE_PX - 1) / 2 + REACH_PX * (2 * rising - 1), abs=0.6)
    assert (frames[0][:, :, 0].astype(int) >= frames[0][:, :, 2]).all()  # red light


@pytest.mark.parametrize(("angle", "column", "row"), [(0, -1, 0), (0.25, 0, 1), (0.5, 1, 0), (0.75, 0, -1)])
def test_the_black_end_goes_round_counterclockwise(angle, column, row):
    still = {name: np.full(FRAMES, 0.5) for name in NUMBERS} | {"opacity": np.ones(FRAMES)}
    bar = with_black_end(np.full((64, 64), 200.0))
    frame = draw(Course(**(still | {"angle": np.full(FRAMES, angle)})), bar, np.full((64, 64), 100.0))[0][:, :, 0]
    places = np.argwhere(frame < 20) - (SIDE_PX - 1) / 2
    down, right = places.mean(axis=0)
    assert (np.sign(np.round(right)), np.sign(np.round(down))) == (column, row)


def test_the_test_textures_are_in_no_training_video():
    assert not set(TEXTURES["train"]) & set(TEXTURES["test"])


def test_files_have_the_size_and_the_frames_and_are_the_same_each_time(tmp_path):
    for name in ("one", "two"):
        write_motion_videos(tmp_path / name, train=1, test=1)
    files = sorted((tmp_path / "one").rglob("*.mp4"))
    assert len(files) == 2 * len(CLASSES)
    for path in files:
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
    with av.open(str(files[0])) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == FPS
    assert np.stack(pictures).shape == (FRAMES, SIDE_PX, SIDE_PX, 3)


def test_an_unknown_class_is_refused():
    with pytest.raises(ValueError, match="left, right"):
        course("sideways", np.random.default_rng(0))
