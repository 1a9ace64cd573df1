"""Stream: its rows are the file's, its memory and latency are bounded, what it cannot do it says."""

from __future__ import annotations

import threading
import time
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extract_made import RECIPE, MeanColor
from media_made import opened
from stream_made import CLIPS, assert_same_rows, gray, prepared_with, rate_times, write_levels
from visfeat.errors import EngineError, UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.streaming.clock import FeedClock, exact_s
from visfeat.streaming.stream import Stream

NTSC = Fraction(30000, 1001)
RECIPES = {
    "every third of a second": RECIPE.but(every_s="1/3"),
    "all frames": RECIPE.but(every_frame=True),
    "more often than frames come": RECIPE.but(fps=50),
    "clips by time": CLIPS,
    "clips of decoded frames": CLIPS.but(clip_fps=None, consecutive=True),
    "clips with a padded tail": CLIPS.but(stride=4, tail="pad"),
}


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_levels(tmp_path_factory.mktemp("stream") / "a.mp4", 45, rate=NTSC, b_frames=2)


@pytest.mark.parametrize("name", RECIPES)
def test_rows_of_a_decoders_frames_are_the_files(video, name):
    prepared = prepared_with(recipe=RECIPES[name])
    wanted = Extractor(prepared=prepared).video(video)
    assert_same_rows(list(Stream(prepared=prepared).run(opened(video).frames())), wanted)


@pytest.mark.parametrize("name", RECIPES)
@settings(max_examples=15)
@given(data=st.data())
def test_rows_are_the_files_whatever_the_pieces(video, name, data):
    """Pieces of any size, with times that went through floating point, and any size of batch."""
    prepared = prepared_with(MeanColor(data.draw(st.integers(1, 5))), RECIPES[name])
    frames = list(opened(video).frames())
    pictures, times = np.stack([frame.rgb() for frame in frames]), [float(frame.start_s) for frame in frames]
    stream, rows, at = Stream(prepared=prepared), [], 0
    while at < len(frames):
        stop = at + data.draw(st.integers(1, 20))
        rows += stream.feed(pictures[at:stop], times[at:stop])
        at = stop
    rows += stream.finish(float(frames[-1].end_s))
    assert_same_rows(rows, Extractor(prepared=prepared).video(video))


def test_the_default_networks_rows_are_the_files(video):
    extractor = Extractor(size=64, every_s=0.2)
    rows = list(Stream(size=64, every_s=0.2).run(opened(video).frames()))
    assert_same_rows(rows, extractor.video(video))


def test_the_last_picture_lasts_as_long_as_the_one_before_unless_said():
    stream = Stream(prepared=prepared_with(recipe=RECIPE.but(every_frame=True)))
    rows = [row for level, time_s in ((10, 5.0), (20, 5.5), (30, 6.0)) for row in stream.feed(gray(level), time_s)]
    rows += stream.finish()
    assert [(row.start_s, row.end_s) for row in rows] == [(0.0, 0.5), (0.5, 1.0), (1.0, 1.5)]
    assert [float(row.vector[0]) for row in rows] == [10, 20, 30]


def test_without_times_a_frame_rate_or_the_clock_says_them():
    by_rate = FeedClock(NTSC)
    assert [by_rate.start_of(None) for _ in range(3)] == [0, 1 / NTSC, 2 / NTSC]
    assert by_rate.end_of_last() == 3 / NTSC
    now = iter([100.0, 100.25, 101.0])
    by_clock = FeedClock(now_s=lambda: next(now))
    assert [by_clock.start_of(None) for _ in range(3)] == [0, Fraction(1, 4), 1]
    assert by_clock.end_of_last() == Fraction(7, 4)


def test_times_that_run_backward_show_a_picture_for_no_time():
    clock = FeedClock()
    assert [clock.start_of(time_s) for time_s in (7, 8, 7.5, 9)] == [0, 1, 1, 2]


@given(st.integers(0, 10**7), st.sampled_from([25, 24, 30, 60, NTSC, Fraction(24000, 1001), 90000]))
def test_times_come_back_exactly_from_floating_point(number, rate):
    assert exact_s(float(number / Fraction(rate))) == number / Fraction(rate)


def test_a_row_comes_in_time_though_its_batch_is_not_full():
    stream = Stream(prepared=prepared_with(MeanColor(4), RECIPE.but(every_frame=True)), max_latency_s=0.2)
    stream.feed(gray(1), 0.0)
    started_s = time.monotonic()
    assert stream.feed(gray(2), 0.1) == []
    (row,) = stream.wait(5) or []
    assert 0.05 < time.monotonic() - started_s < 2
    assert 0.1 < row.delay_s < 2
    assert row.vector.tolist() == [1, 1, 1]
    stream.close()


def test_a_full_batch_does_not_wait():
    stream = Stream(prepared=prepared_with(MeanColor(2), RECIPE.but(every_frame=True)), max_latency_s=60)
    rows = stream.feed(np.stack([gray(level) for level in (1, 2, 3)]), [0, 1, 2])
    assert rows or stream.wait(10)
    stream.close()


def test_run_gives_rows_while_the_next_frame_is_waited_for():
    may_go_on = threading.Event()

    def frames():
        yield from (gray(level) for level in (1, 2, 3))
        assert may_go_on.wait(10)
        yield gray(4)

    prepared = prepared_with(MeanColor(1), RECIPE.but(every_frame=True))
    rows = Stream(prepared=prepared, frame_rate=10).run(frames())
    assert [next(rows).position, next(rows).position] == [0, 1]
    may_go_on.set()
    assert [row.position for row in rows] == [2, 3]


def test_an_error_of_the_frames_comes_after_the_rows_before_it():
    def frames():
        yield from (gray(level) for level in (1, 2))
        raise ValueError("the camera fell down")

    rows = Stream(prepared=prepared_with(recipe=RECIPE.but(every_frame=True)), frame_rate=10).run(frames())
    assert [next(rows).position, next(rows).position] == [0, 1]
    with pytest.raises(ValueError, match="fell down"):
        next(rows)


def test_an_error_of_the_network_is_raised_to_who_feeds():
    stream = Stream(prepared=prepared_with(MeanColor(1, breaks_after=2), RECIPE.but(every_frame=True)), frame_rate=10)
    with pytest.raises(EngineError, match="breaks here"):
        list(map(stream.feed, [gray(level) for level in range(100)]))
    with pytest.raises(EngineError, match="breaks here"):
        stream.finish()


def test_drop_counts_what_found_no_room_and_keeps_the_times_right():
    slow = MeanColor(1, on_batch=lambda _: time.sleep(0.02))
    stream = Stream(prepared=prepared_with(slow, RECIPE.but(every_frame=True)), frame_rate=10, on_full="drop")
    rows = [row for level in range(100) for row in stream.feed(gray(level))]
    rows += stream.finish()
    assert stream.dropped > 0
    assert len(rows) + stream.dropped == 100
    assert [row.position for row in rows] == list(range(len(rows)))
    assert [row.start_s for row in rows] == [row.vector[0] / 10 for row in rows]


def test_wait_loses_nothing():
    slow = MeanColor(1, on_batch=lambda _: time.sleep(0.002))
    stream = Stream(prepared=prepared_with(slow, RECIPE.but(every_frame=True)), frame_rate=10, on_full="wait")
    rows = [row for level in range(100) for row in stream.feed(gray(level))]
    rows += stream.finish()
    assert (len(rows), stream.dropped) == (100, 0)


@pytest.mark.parametrize("on_full", ["wait", "drop"])
def test_a_picture_of_many_rows_does_not_wait_for_its_own_caller(on_full):
    """After a long pause, and of a last picture that was long on display: more rows than find room at once."""
    found: list[int] = []

    def feed() -> None:
        with Stream(prepared=prepared_with(recipe=RECIPE.but(every_s=1)), on_full=on_full) as stream:
            rows = stream.feed(gray(1), 0) + stream.feed(gray(2), 2000)
            found.append(len(rows + stream.finish(5000)) + stream.dropped)

    feeding = threading.Thread(target=feed, daemon=True)
    feeding.start()
    feeding.join(20)
    assert found == [5000]


def test_rows_that_are_not_finite_are_left_out_and_counted():
    def spoil(values):
        values[values == 2] = np.nan

    stream = Stream(prepared=prepared_with(MeanColor(2, spoil=spoil), RECIPE.but(every_frame=True)), frame_rate=10)
    rows = stream.feed(np.stack([gray(level) for level in (1, 2, 3)])) + stream.finish()
    assert [row.position for row in rows] == [0, 2]
    assert stream.not_finite == 1


def test_memory_stays_flat_over_twenty_thousand_frames():
    stream = Stream(prepared=prepared_with(MeanColor(8), RECIPE.but(every_s=1)), frame_rate=10)
    picture = gray(9)

    def fed(count):
        for _ in range(count):
            stream.feed(picture)
        return tracemalloc.get_traced_memory()[0]

    fed(200)
    tracemalloc.start()
    try:
        before = fed(1000)
        after = fed(20_000)
    finally:
        tracemalloc.stop()
        stream.close()
    assert after - before < 300_000


def test_the_picture_is_the_one_that_was_fed_though_the_caller_uses_his_array_again():
    stream, buffer = Stream(prepared=prepared_with(recipe=RECIPE.but(every_frame=True)), frame_rate=10), gray(0)
    rows = []
    for level in (10, 20, 30):
        buffer[:] = level
        rows += stream.feed(buffer)
    assert [row.vector[0] for row in rows + stream.finish()] == [10, 20, 30]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"frames": 8}, "--frames: needs the end"),
        ({"frames_per_shot": 2}, "--frames-per-shot: needs the end"),
        ({"temporal": "mean"}, "--temporal: needs the end"),
        ({"on_full": "panic"}, "there are wait and drop"),
        ({"max_latency_s": 0}, "max_latency_s"),
        ({"frame_rate": -1}, "frame_rate"),
    ],
)
def test_what_a_stream_cannot_do_is_refused(options, match):
    own = {name: options.pop(name) for name in ("on_full", "max_latency_s", "frame_rate") if name in options}
    with pytest.raises(UsageError, match=match):
        Stream(prepared=prepared_with(recipe=RECIPE.but(**options)), **own)


@pytest.mark.parametrize(
    ("picture", "time_s", "match"),
    [
        (np.zeros((4, 4, 3), np.float32), None, "float32"),
        (np.zeros((4, 4), np.uint8), None, r"\(4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), None, r"\(0, 4, 3\)"),
        ("cat.jpg", None, "str"),
        (np.zeros((2, 4, 4, 3), np.uint8), [1.0], "2 pictures need as many times"),
        (np.zeros((4, 4, 3), np.uint8), float("nan"), "finite"),
    ],
)
def test_what_is_no_picture_or_time_is_refused(picture, time_s, match):
    with Stream(prepared=prepared_with()) as stream, pytest.raises(UsageError, match=match):
        stream.feed(picture, time_s)


def test_nothing_is_fed_after_the_end():
    stream = Stream(prepared=prepared_with())
    assert stream.finish() == []
    with pytest.raises(UsageError, match="finished"):
        stream.feed(gray(1))


def test_pictures_have_no_keyframes():
    prepared = prepared_with(recipe=RECIPE.but(keyframes=True))
    with Stream(prepared=prepared) as stream, pytest.raises(UsageError, match="keyframes"):
        stream.feed(gray(1))


def test_rate_times_are_those_of_the_file(video):
    assert rate_times(45, NTSC) == [float(frame.start_s) for frame in opened(video).frames()]
