"""Live sources by PyAV: a pipe, a camera, a network address; opened without seeking, read once."""

from __future__ import annotations

import os
import select
import sys
from fractions import Fraction
from typing import BinaryIO

import av
from av.container import InputContainer
from av.error import ExitError, InvalidDataError

from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.pyav import PyavDecoder
from visfeat.errors import BrokenMedia, MediaError, UnsupportedMedia, UsageError
from visfeat.media.address import LiveAddress
from visfeat.media.item import Kind, MediaItem

SILENCE_S = 10.0
"""A network source that says nothing for so long counts as lost."""
_POLL_MS = 100
_TIMED_OUT = "Immediate exit requested"
"""What FFmpeg says when PyAV's clock has run out."""
_STREAMING = "MPEG-TS, Matroska, FLV, YUV4MPEG or a fragmented mp4"
_INDEX_LAST = f"an mp4 whose index (moov) comes last needs a file that can be searched; send {_STREAMING}"


class LiveDecoder(PyavDecoder):
    """Frames of a live source as they arrive; times count from its first frame.

    Two threads decode, no more: each holds one frame back. ``format`` is the container's name by FFmpeg.
    """

    name = "live"

    def __init__(self, address: LiveAddress, options: DecodeOptions, *, pipe: BinaryIO | None = None) -> None:
        """Connect and decode the first frame, for which it waits.

        ``pipe`` stands in for standard input. Raises MediaError where nothing can be read, and UsageError where the
        platform has no such source.
        """
        self.address = address
        self.format = ""
        self._pipe = pipe
        self._reading: _Reading | None = None
        try:
            super().__init__(MediaItem(address.name, 0, 0, kind=Kind.VIDEO), None, options)
        except (BrokenMedia, UnsupportedMedia) as error:
            if self.format == "mov":
                raise BrokenMedia(f"{error}: {_INDEX_LAST}") from None
            raise error from None

    def stop(self) -> None:
        """Let a thread that waits for more of a pipe come to its end; a network source is waited for its time."""
        if self._reading is not None:
            self._reading.stop()

    @property
    def broke_off(self) -> str | None:
        """After the frames: why the source was lost; None where it came to its end."""
        reason = self._decoded.broke_off
        return f"nothing came for {SILENCE_S:g} s" if reason == _TIMED_OUT else reason

    def measure_duration_s(self) -> Fraction:
        """Nobody knows when a live source ends: raises MediaError."""
        raise MediaError("a live source has no length that could be known")

    def _problem(self, end_s: Fraction) -> str | None:
        problem = super()._problem(end_s)
        return problem if self.broke_off is None else f"lost after {float(end_s):.1f} s ({self.broke_off})"

    def _connect(self) -> InputContainer:
        try:
            container = self._opened()
        except ExitError:
            raise BrokenMedia(f"no answer within {SILENCE_S:g} s") from None
        except InvalidDataError:
            raise BrokenMedia(f"what comes is no video that can be read as it comes: send {_STREAMING}") from None
        self.format = container.format.name.partition(",")[0]
        return container

    def _opened(self) -> InputContainer:
        if self.address.kind == "pipe":
            pipe = self._pipe or (None if sys.stdin is None else sys.stdin.buffer)
            if pipe is None:
                raise UsageError("-: stdin is closed; pipe a video into it")
            if pipe.isatty():
                raise UsageError("-: stdin is the keyboard; pipe a video into it")
            self._reading = _Reading(pipe)
            return av.open(self._reading, mode="r", metadata_errors="replace")
        if self.address.kind == "device":
            return _camera(self.address.source)
        # Over UDP, RTSP loses packets where the network is busy; every camera speaks TCP too.
        options = {"rtsp_transport": "tcp"} if self.address.source.lower().startswith("rtsp") else {}
        return av.open(
            self.address.source,
            mode="r",
            options=options,
            timeout=(SILENCE_S, SILENCE_S),
            metadata_errors="replace",
        )


class _Reading:
    """A pipe as PyAV is to see it: what is there, at once, no way to seek, and an end where ``stop`` says so."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._stopped = False
        try:
            self._file: int | None = pipe.fileno()
        except OSError:  # bytes in memory
            self._file = None

    def read(self, size_bytes: int) -> bytes:
        """At most so many bytes, as soon as there are some; none at the end."""
        while not self._stopped:
            if self._file is None:
                return self._pipe.read(size_bytes)
            if self._has_come(self._file):
                return os.read(self._file, size_bytes)
        return b""

    def stop(self) -> None:
        """Wait for nothing more."""
        self._stopped = True

    def _has_come(self, file: int) -> bool:
        """Whether there is something to read, or the end, within a moment; always where the system cannot tell."""
        if not hasattr(select, "poll"):
            return True
        poll = select.poll()
        poll.register(file, select.POLLIN)
        return bool(poll.poll(_POLL_MS))


def _camera(device: str) -> InputContainer:
    """A camera of Video4Linux2; raises UsageError on other systems."""
    if not sys.platform.startswith("linux"):
        raise UsageError(f"{device}: cameras are read through Video4Linux2, which only Linux has")
    return av.open(device, mode="r", format="v4l2", timeout=(SILENCE_S, SILENCE_S))
