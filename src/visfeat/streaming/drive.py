"""Driving a stream from its source: rows are handed over in a thread that no interrupt breaks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from visfeat.streaming.rows import StreamRow
from visfeat.streaming.source import FrameSource
from visfeat.streaming.stream import Reader, Stream

POLL_S = 0.1

Take = Callable[[Sequence[StreamRow]], None]


class Drive:
    """One run of a source through a stream; ``take`` gets the rows, or none now and then while nothing comes."""

    def __init__(self, stream: Stream, source: FrameSource, take: Take) -> None:
        self._stream, self._source, self._take = stream, source, take
        self._error: BaseException | None = None
        self._reader: Reader | None = None
        # Not Thread.join: interrupted, it takes a thread that runs for one that has ended (Python 3.11 and 3.12).
        self._all_taken = threading.Event()

    def run(self, *, silence_s: float | None = None, tick: Callable[[], None] = lambda: None) -> bool:
        """Run to the end of the source; returns False where an interrupt ended it before, with all rows handed over.

        ``silence_s``: a source that is asked for a frame and gives none for so long counts as ended. ``tick`` is called
        about ten times a second. A second interrupt gives up the rows that are still to come. Raises what went wrong
        with frames, network or ``take``.
        """
        completed = True
        try:
            # Whoever takes the rows comes first: an interrupt may fall between the two.
            threading.Thread(target=self._take_all, name="visfeat-rows").start()
            self._reader = Reader(self._stream, self._source.frames(), is_awaited=True)
            self._wait(silence_s, tick)
        except KeyboardInterrupt:
            completed = False
            try:
                self._end()
                self._wait(None, tick)
            except KeyboardInterrupt:
                self._stream.close()
                self._all_taken.wait()
        finally:
            self._stop_frames()
            self._stream.close()
        if self._error is not None:
            raise self._error
        if completed and self._reader is not None:
            self._reader.raise_error()
        return completed

    def _wait(self, silence_s: float | None, tick: Callable[[], None]) -> None:
        while not self._all_taken.wait(POLL_S):
            tick()
            if silence_s is not None and self._source.silent_s > silence_s:
                self._end()
                silence_s = None

    def _end(self) -> None:
        """Stop without waiting for a frame that may never come."""
        self._stop_frames()
        self._stream.end()

    def _stop_frames(self) -> None:
        self._source.stop()
        if self._reader is not None:
            self._reader.stop()

    def _take_all(self) -> None:
        try:
            while (rows := self._stream.wait(POLL_S)) is not None:
                self._take(rows)
        except BaseException as error:  # noqa: BLE001 (raised by run)
            self._error = error
            self._stream.close()
        finally:
            self._all_taken.set()
