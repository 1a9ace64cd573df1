"""What a decoding thread does with one item for several lanes, seen by lanes that only take notes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from extract_made import SPEC
from media_made import photo, write_video
from visfeat.decode.decoder import DecodeOptions
from visfeat.errors import BrokenMedia, EngineError, StoreError
from visfeat.extraction.channel import Aborted
from visfeat.extraction.progress import Progress
from visfeat.extraction.work import Task, Worker
from visfeat.media.item import MediaItem, uri_of
from visfeat.preprocess import Preprocessor
from visfeat.store.records import Status


class Noting:
    """A lane and its feed: writes down what it is told; ``fails`` at a step with an error."""

    def __init__(self, *, stream: int | None = None, fails: tuple[str, Exception] | None = None) -> None:
        self.progress = Progress()
        self.error: BaseException | None = None
        self.notes: list[str] = []
        self.pictures: list[np.ndarray] = []
        self.duration_s: Fraction | None = None
        self.frames = 0
        self._stream = stream
        self._fails = fails or ("", Exception())

    def options(self, item, base):
        return replace(base, stream=self._stream)

    def take(self, item, header: Callable):
        self._note("take")
        return self

    def refuse(self, item, status, reason=None):
        self._note(f"refuse {status}")

    def begin(self, shared):
        self.preparer = shared.preparer(Preprocessor(SPEC))
        self.duration_s = shared.duration_s()
        self._note("begin")

    def feed(self, frame):
        self.frames += 1
        self.pictures = [*self.pictures[-1:], frame.rgb()]
        if self.frames == 3:
            self._note("third")

    def finish(self, decoder):
        self._note("finish")

    def fail(self, reason):
        self._note(f"fail {reason}")

    def breaks(self, error):
        self.error = error
        self._note("breaks")

    def close(self):
        self._note("close")

    def _note(self, what: str) -> None:
        self.notes.append(what)
        if what == self._fails[0]:
            raise self._fails[1]


@pytest.fixture
def video(tmp_path) -> Path:
    return write_video(tmp_path / "v.mp4", [photo(32, 48, seed=n) for n in range(10)], rate=10)


def work(path: Path, *lanes: Noting, stopping: threading.Event | None = None) -> None:
    Worker(DecodeOptions(), stopping or threading.Event()).work(Task(MediaItem(uri_of(path), 0, 0), lanes))


def test_lanes_share_frames_pictures_and_the_length(video):
    one, other = Noting(), Noting()
    work(video, one, other)
    assert one.notes == other.notes == ["take", "begin", "third", "finish", "close"]
    assert (one.frames, other.frames) == (10, 10)
    assert one.pictures[-1] is other.pictures[-1]
    assert one.preparer is other.preparer
    assert one.duration_s == other.duration_s == 1


def test_another_stream_is_another_decode(video):
    one, other = Noting(), Noting(stream=0)
    work(video, one, other)
    assert (one.frames, other.frames) == (10, 10)
    assert one.preparer is not other.preparer


@pytest.mark.parametrize(
    ("step", "error", "notes"),
    [
        ("begin", BrokenMedia("no length"), ["take", "begin", "fail no length", "close"]),
        ("third", BrokenMedia("a bad frame"), ["take", "begin", "third", "fail a bad frame", "close"]),
        ("third", Aborted(), ["take", "begin", "third", "close"]),
        ("third", EngineError("no GPU"), ["take", "begin", "third", "breaks", "close"]),
        ("finish", StoreError("disk full"), ["take", "begin", "third", "finish", "breaks", "close"]),
        ("take", Aborted(), ["take"]),
    ],
)
def test_what_fails_in_one_lane_leaves_the_others_alone(video, step, error, notes):
    one, other = Noting(fails=(step, error)), Noting()
    work(video, one, other)
    assert one.notes == notes
    assert other.notes == ["take", "begin", "third", "finish", "close"]
    assert other.frames == 10


def test_a_lane_that_is_broken_takes_nothing(video):
    one, other = Noting(), Noting()
    one.error = EngineError("gone")
    work(video, one, other)
    assert one.notes == []
    assert other.frames == 10


def test_what_cannot_be_decoded_is_told_to_all(tmp_path, video):
    path = tmp_path / "half.mp4"
    path.write_bytes(video.read_bytes()[:2000])
    lanes = [Noting(), Noting()]
    work(path, *lanes)
    for lane in lanes:
        assert lane.notes[0] == "take"
        assert "moov" in lane.notes[1]
        assert lane.notes[2:] == ["close"]
    lanes = [Noting(), Noting()]
    work(tmp_path / "nowhere.mp4", *lanes)
    assert [lane.notes for lane in lanes] == [[f"refuse {Status.FAILED}"]] * 2


def test_stopping_ends_a_decode_without_a_word(video):
    stopping = threading.Event()
    stopping.set()
    lane = Noting()
    work(video, lane, stopping=stopping)
    assert lane.notes == ["take", "begin", "close"]
