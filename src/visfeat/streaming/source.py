"""Where frames come from: a live source, which may be lost and found again, or a file; bounded in time and frames."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from typing import BinaryIO

from visfeat.decode import open_decoder
from visfeat.decode.decoder import DEFAULT_MAX_PIXELS, DecodeOptions, Decoder
from visfeat.decode.live import LiveDecoder
from visfeat.errors import MediaError, UnsupportedMedia
from visfeat.frames import Frame, StreamInfo
from visfeat.media.address import LiveAddress, live_address
from visfeat.media.item import Kind, MediaItem, uri_of
from visfeat.media.read import identify
from visfeat.recipe import Recipe

BACK_OFF_S = (1.0, 2.0, 4.0, 8.0)
"""How long to wait before each new attempt at a network source that was lost."""
THREADS = 2
"""Of a live source's codec: each thread holds one frame back."""

Report = Callable[[str], None]


class FrameSource:
    """Opened frames with times from the first one on; ``stop`` ends them from another thread.

    ``name`` may be shown and stored. After the frames: ``problem`` says what is missing, ``notes`` what happened.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Decoder],
        *,
        format_name: str = "",
        live_s: Fraction | None = None,
        max_frames: int | None = None,
        back_off_s: tuple[float, ...] = (),
        report: Report = lambda _: None,
    ) -> None:
        """Connect, which raises MediaError. ``live_s`` seconds of its time and ``max_frames`` frames are the most.

        ``back_off_s``: after each of these waits a source that was lost is connected to again.
        """
        self.name = name
        self.problem: str | None = None
        self.num_frames = 0
        self.end_s = Fraction(0)
        """Until when the last frame was on display."""
        self._asked_at_s: float | None = None
        """Since when a frame is waited for, by ``time.monotonic``; None while nobody asks for one."""
        self._notes: dict[str, None] = {}
        self._connect, self._back_off_s, self._report = connect, back_off_s, report
        self._live_s, self._max_frames = live_s, max_frames
        self._stopping = threading.Event()
        self._decoder = connect()
        self.format = format_name or getattr(self._decoder, "format", "")

    @property
    def info(self) -> StreamInfo:
        """What the source says of itself, and what came of it so far."""
        notes = dict.fromkeys((*self._decoder.info.notes, *self._notes))
        duration_s = float(self.end_s) if self.num_frames else None
        return replace(self._decoder.info, notes=tuple(notes), num_frames=self.num_frames, duration_s=duration_s)

    @property
    def silent_s(self) -> float:
        """For how long a frame has been waited for; 0 while the last one is still at work on."""
        asked_at_s = self._asked_at_s
        return 0.0 if asked_at_s is None else time.monotonic() - asked_at_s

    def frames(self) -> Iterator[Frame]:
        """All frames until the end, the bound, or ``stop``; once. Frames after a gap go on in real time."""
        offset_s, started_s = Fraction(0), time.monotonic()
        self._asked_at_s = started_s
        while True:
            yield from self._frames_of(self._decoder, offset_s)
            was_lost = getattr(self._decoder, "broke_off", None) is not None
            if not was_lost or not self._back_off_s or self._is_over() or not self._reconnect():
                return
            elapsed_s = Fraction(time.monotonic() - started_s).limit_denominator(1000)
            offset_s = max(elapsed_s, self.end_s)
            self._note(f"lost and found again at {float(offset_s):.1f} s")

    def stop(self) -> None:
        """Give no more frames, and do not connect again; a thread that waits for a pipe goes on."""
        self._stopping.set()
        stop = getattr(self._decoder, "stop", None)
        if stop is not None:
            stop()

    def _frames_of(self, decoder: Decoder, offset_s: Fraction) -> Iterator[Frame]:
        """One connection's frames, moved to where they belong; what ended it early stands in ``problem``."""
        self.problem = None
        with closing(decoder):
            try:
                for frame in decoder.frames():
                    moved = _moved(frame, self.num_frames, offset_s)
                    if self._is_over(moved):
                        return
                    self.num_frames += 1
                    self.end_s = moved.end_s or self.end_s
                    self._asked_at_s = None
                    yield moved
                    self._asked_at_s = time.monotonic()
                self.problem = decoder.problem
            except MediaError as error:
                self.problem = str(error)

    def _is_over(self, following: Frame | None = None) -> bool:
        if self._stopping.is_set() or (self._max_frames is not None and self.num_frames >= self._max_frames):
            return True
        start_s = self.end_s if following is None else following.start_s
        return self._live_s is not None and start_s is not None and start_s >= self._live_s

    def _reconnect(self) -> bool:
        """Try again after each wait; False where it stays lost, or was stopped."""
        lost = self.problem
        for wait_s in self._back_off_s:
            self._report(f"{self.name}: {lost}; trying again in {wait_s:g} s")
            if self._stopping.wait(wait_s):
                return False
            try:
                self._decoder = self._connect()
            except MediaError as error:
                lost = str(error)
            else:
                return True
        self._report(f"{self.name}: {lost}; given up")
        return False

    def _note(self, text: str) -> None:
        if len(self._notes) < 8:
            self._notes[text] = None


def live_source(
    address: LiveAddress,
    recipe: Recipe,
    *,
    live_s: Fraction | None = None,
    max_frames: int | None = None,
    max_pixels: int | None = None,
    report: Report = lambda _: None,
    pipe: BinaryIO | None = None,
    back_off_s: tuple[float, ...] = BACK_OFF_S,
) -> FrameSource:
    """Connect to a live source; one on the network is tried again when it is lost. Raises MediaError that names it."""
    options = DecodeOptions(max_pixels or DEFAULT_MAX_PIXELS, stream=recipe.stream, threads=THREADS)

    def connect() -> Decoder:
        return LiveDecoder(address, options, pipe=pipe)

    try:
        return FrameSource(
            address.name,
            connect,
            live_s=live_s,
            max_frames=max_frames,
            back_off_s=back_off_s if address.kind == "network" else (),
            report=report,
        )
    except MediaError as error:
        raise type(error)(f"{address.name}: {error}") from None


def source_of(
    source: str,
    recipe: Recipe,
    *,
    live_s: Fraction | None = None,
    max_frames: int | None = None,
    report: Report = lambda _: None,
) -> FrameSource:
    """A live source, or a video file read as if it were one. Raises MediaError that names it."""
    address = live_address(source)
    if address is not None:
        return live_source(address, recipe, live_s=live_s, max_frames=max_frames, report=report)
    try:
        item, content = identify(MediaItem(uri_of(source), size_bytes=0, mtime_ns=0))
        if item.kind is not Kind.VIDEO:
            raise UnsupportedMedia("no video")
        options = DecodeOptions(stream=recipe.stream)
        return FrameSource(
            source,
            lambda: open_decoder(item, content, options),
            format_name=item.format,
            live_s=live_s,
            max_frames=max_frames,
        )
    except MediaError as error:
        raise type(error)(f"{source}: {error}") from None


def _moved(frame: Frame, index: int, offset_s: Fraction) -> Frame:
    start_s = None if frame.start_s is None else frame.start_s + offset_s
    end_s = None if frame.end_s is None else frame.end_s + offset_s
    return replace(frame, index=index, start_s=start_s, end_s=end_s)
