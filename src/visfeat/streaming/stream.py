"""Stream: frames are fed as they come, rows of features come out as soon as they are known.

A frame is on display until the next one arrives, so what is sampled of it is decided then. The rows of a file's frames
are those that ``Extractor.video`` gives of the file, bit for bit.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from visfeat.engine.prepare import Prepared, prepare
from visfeat.errors import UsageError
from visfeat.extraction.inputs import InputAssembler
from visfeat.frames import Frame
from visfeat.recipe import Recipe, recipe_of
from visfeat.streaming.batcher import Batcher, OnFull
from visfeat.streaming.clock import FeedClock
from visfeat.streaming.rows import StreamRow

MAX_LATENCY_S = 0.5
"""Long enough to fill the small batches of a CPU at a camera's pace."""
_NEEDS_THE_END = ("frames", "frames_per_shot", "segments", "temporal")

Pictures = NDArray[np.uint8]
Time = float | Fraction
Times = Sequence[Time] | NDArray[np.float64]


class Stream:
    """A compiled recipe that is fed with frames.

    >>> with Stream(every_s=0.5) as stream:                                  # doctest: +SKIP
    ...     for picture in camera:          # uint8 (H, W, 3), RGB
    ...         for row in stream.feed(picture):
    ...             print(row.start_s, row.vector.shape)
    """

    def __init__(
        self,
        recipe: Recipe | str | os.PathLike[str] | None = None,
        *,
        frame_rate: Time | None = None,
        max_latency_s: float = MAX_LATENCY_S,
        on_full: OnFull = "wait",
        prepared: Prepared | None = None,
        **options: Any,
    ) -> None:
        """Load and compile. ``recipe`` and ``options`` as for ``extract``; ``prepared`` stands in for both.

        ``frame_rate``: pictures a second, where they are fed without a time; None takes the clock on arrival.
        ``max_latency_s``: a row comes no later than that after the frame that completed it (or after the time that the
        network takes, where that is longer). ``on_full``: what happens when frames come faster than the network takes
        them: ``feed`` waits, or what finds no room is left out and counted in ``dropped``.

        Raises as ``extract`` does, and UsageError for a recipe that needs the end of a video.
        """
        if on_full not in ("wait", "drop"):
            raise UsageError(f"on_full={on_full!r}: there are wait and drop")
        if not max_latency_s > 0:
            raise UsageError(f"max_latency_s={max_latency_s}: must be more than 0")
        wanted = recipe_of(recipe, options) if prepared is None else prepared.recipe
        check_streamable(wanted)
        self._prepared = prepare(wanted) if prepared is None else prepared
        self._clock = FeedClock(frame_rate)
        self._assembler = InputAssembler(self._prepared.recipe, self._prepared.preprocessor)
        self._batcher = Batcher(self._prepared, max_latency_s=max_latency_s, on_full=on_full)
        self._newest: tuple[Fraction, Pictures] | None = None
        self._count = 0
        self._finished = False
        self._lock = threading.RLock()

    @property
    def recipe(self) -> Recipe:
        """The recipe with every field filled in; its digest is that of a store's rows."""
        return self._prepared.recipe

    @property
    def dropped(self) -> int:
        """How many rows were left out since the network was busy."""
        return self._batcher.dropped

    @property
    def not_finite(self) -> int:
        """How many rows were left out since they have a NaN or an infinity."""
        return self._batcher.not_finite

    def feed(self, pictures: Frame | Pictures, time_s: Time | Times | None = None) -> list[StreamRow]:
        """Take a frame, and return the rows that are ready: of this frame, of earlier ones, or none yet.

        ``pictures``: uint8 RGB ``(H, W, 3)``, several as ``(N, H, W, 3)`` with N times, or a decoder's Frame.
        ``time_s`` is when it goes on display, in seconds on any clock; rows count from the first frame. The array is
        copied where it is kept. Raises UsageError for anything else, or after ``finish``, and EngineError.
        """
        rows: list[StreamRow] = []
        for picture, when in _one_by_one(pictures, time_s):
            self._push(picture, when, rows)
        return rows + self._batcher.take()

    def push(self, picture: Frame | Pictures, time_s: Time | None = None) -> None:
        """Take one frame as ``feed`` does, where another thread reads ``wait``."""
        self._push(picture, time_s, None)

    def _push(self, picture: Frame | Pictures, time_s: Time | None, taken: list[StreamRow] | None) -> None:
        """Take one frame; ``taken`` as for ``Batcher.put``."""
        arrived_s = time.monotonic()
        with self._lock:
            if self._finished:
                raise UsageError("the stream is finished; make another one")
            if isinstance(picture, Frame):
                self._assemble(picture, arrived_s, taken)
                return
            if self.recipe.keyframes:
                raise UsageError("keyframes: pictures have none; feed a decoder's frames, or sample by time")
            start_s = self._clock.start_of(time_s)
            self._show_newest(start_s, arrived_s, taken)
            self._newest = (start_s, np.array(picture))

    def finish(self, end_s: Time | None = None) -> list[StreamRow]:
        """No more frames come: wait for the rows that are still to come. A second time gives none.

        ``end_s``: until when the last picture was on display, on the clock of ``time_s``; unless said, as long as the
        one before.
        """
        rows: list[StreamRow] = []
        self._end(end_s, rows)
        while (more := self._batcher.wait()) is not None:
            rows += more
        return rows

    def end(self, end_s: Time | None = None) -> None:
        """Say that no more frames come, without waiting for rows; may be said twice, from any thread."""
        self._end(end_s, None)

    def _end(self, end_s: Time | None, taken: list[StreamRow] | None) -> None:
        with self._lock:
            if self._finished:
                return
            self._finished = True
            now_s = time.monotonic()
            try:
                self._show_newest(self._clock.end_of_last(end_s), now_s, taken)
                for given in self._assembler.finish():
                    self._batcher.put(given, now_s, taken)
            finally:
                self._batcher.close()

    def wait(self, timeout_s: float | None = None) -> list[StreamRow] | None:
        """The next rows, or none after ``timeout_s``; None once the stream has ended and all rows were given out."""
        return self._batcher.wait(timeout_s)

    def run(self, frames: Iterable[Frame | Pictures]) -> Iterator[StreamRow]:
        """The rows of all frames, each as soon as it is known, also while the next frame is waited for.

        A thread of its own takes the frames; an error of theirs is raised here, after the rows before it.
        """
        reader = Reader(self, frames)
        try:
            while (rows := self.wait()) is not None:
                yield from rows
            reader.raise_error()
        finally:
            reader.stop()
            self.close()

    def close(self) -> None:
        """Give up what is not computed yet; nothing is left to do after ``finish``."""
        self._finished = True
        self._batcher.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _show_newest(self, end_s: Fraction, arrived_s: float, taken: list[StreamRow] | None) -> None:
        """The picture that was fed last is now known to have been on display until then."""
        if self._newest is None:
            return
        start_s, picture = self._newest
        self._newest = None
        self._assemble(Frame(self._count, start_s, end_s, is_keyframe=False, rgb=lambda: picture), arrived_s, taken)
        self._count += 1

    def _assemble(self, frame: Frame, arrived_s: float, taken: list[StreamRow] | None) -> None:
        for given in self._assembler.feed(frame):
            self._batcher.put(given, arrived_s, taken)


class Reader:
    """The thread that takes frames from where they come and feeds a stream, which it ends with them.

    ``is_awaited``: the interpreter, when it exits, waits for the thread, as it must where the frames come out of
    FFmpeg: a thread in there does not survive the interpreter's end.
    """

    def __init__(self, stream: Stream, frames: Iterable[Frame | Pictures], *, is_awaited: bool = False) -> None:
        self._stream, self._frames = stream, frames
        self._error: BaseException | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name="visfeat-frames", daemon=not is_awaited)
        self._thread.start()

    def stop(self) -> None:
        """Take no more frames; one that the source is still waiting for is not waited for."""
        self._stopping.set()

    def raise_error(self) -> None:
        """Raise what ended the frames early, if anything did."""
        if self._error is not None:
            raise self._error

    def _read(self) -> None:
        try:
            try:
                for frame in self._frames:
                    if self._stopping.is_set():
                        return
                    self._stream.push(frame)
            finally:
                self._stream.end()
        except BaseException as error:  # noqa: BLE001 (raised to whoever reads the rows)
            if not self._stopping.is_set():
                self._error = error


def check_streamable(recipe: Recipe) -> None:
    """Raise UsageError for a recipe that can be computed only once the end of a video is known."""
    for field in _NEEDS_THE_END:
        if getattr(recipe, field) is not None:
            option = field.replace("_", "-")
            raise UsageError(f"--{option}: needs the end of a video; a stream is sampled by --every, --fps or clips")


def _one_by_one(
    pictures: Frame | Pictures, time_s: Time | Times | None
) -> Iterator[tuple[Frame | Pictures, Time | None]]:
    """Single pictures with their times; raises UsageError for what is no picture."""
    if isinstance(pictures, Frame):
        yield pictures, None
        return
    _check_pictures(pictures)
    several = pictures if pictures.ndim == 4 else pictures[None]
    times: list[Time | None] = [None] * len(several)
    if time_s is not None:
        times = list(time_s) if isinstance(time_s, Sequence | np.ndarray) else [time_s]
    if len(times) != len(several):
        raise UsageError(f"time_s: {len(several)} pictures need as many times, not {len(times)}")
    yield from zip(several, times, strict=True)


def _check_pictures(pictures: object) -> None:
    if not isinstance(pictures, np.ndarray):
        raise UsageError(f"a stream is fed with arrays or a decoder's frames, not {type(pictures).__name__}")
    if pictures.dtype != np.uint8 or pictures.ndim not in (3, 4) or pictures.shape[-1] != 3 or not pictures.size:
        got = f"{pictures.dtype} {pictures.shape}"
        raise UsageError(f"a stream is fed with RGB pictures uint8 (H, W, 3) or (N, H, W, 3); got {got}")
