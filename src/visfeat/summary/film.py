"""Passages of a video, one after the other, as a film of its own: H.264 in MP4, without sound."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.open import open_decoder
from visfeat.errors import StoreError, UsageError
from visfeat.frames import Frame
from visfeat.media.item import MediaItem
from visfeat.shots.ensure import exact_s
from visfeat.summary.moments import KeyMoment

_TICK_S = Fraction(1, 90_000)
_QUALITY = {"crf": "20", "preset": "veryfast", "threads": "1"}  # one thread: the same file on every machine


def save_film(item: MediaItem, moments: Sequence[KeyMoment], path: str | os.PathLike[str]) -> Path:
    """Write the passages of the moments in order of time, in one pass over the video; frames keep their durations.

    A frame that two passages share comes once. Raises UsageError where the file would replace the video, StoreError
    where it cannot be written, MediaError where the video cannot be read.
    """
    target = Path(path)
    if target.exists() and os.path.samefile(target, item.path):
        raise UsageError(f"{target}: is the video itself; choose another name")
    try:
        with closing(open_decoder(item, None, DecodeOptions())) as decoder, av.open(str(target), "w") as output:
            rate = decoder.info.average_fps or Fraction(25)
            film = _Film(output, rate)
            passages = [(exact_s(one.start_s), exact_s(one.end_s)) for one in moments]
            last_s = max(end for _, end in passages)
            for frame in decoder.frames():
                if frame.start_s is None or frame.start_s >= last_s:
                    break
                if any(start <= frame.start_s < end for start, end in passages):
                    film.add(frame)
            film.finish()
    except (FFmpegError, OSError) as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror or error})") from None
    return target


class _Film:
    """The file as it grows."""

    def __init__(self, output: OutputContainer, rate: Fraction) -> None:
        self._output, self._rate = output, rate
        self._stream: VideoStream | None = None
        self._at_s = Fraction(0)

    def add(self, frame: Frame) -> None:
        """Show a frame for as long as it was on display."""
        picture = av.VideoFrame.from_ndarray(frame.rgb(), "rgb24")
        if self._stream is None:
            self._stream = self._output.add_stream("libx264", rate=self._rate, options=_QUALITY)
            # H.264 with shared colors has even sides.
            self._stream.width, self._stream.height = picture.width // 2 * 2, picture.height // 2 * 2
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = _TICK_S
        small = picture.reformat(width=self._stream.width, height=self._stream.height, format="yuv420p")
        small.pts, small.time_base = round(self._at_s / _TICK_S), _TICK_S
        self._output.mux(self._stream.encode(small))
        self._at_s += (frame.end_s or Fraction(0)) - (frame.start_s or Fraction(0))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if self._stream is not None:
            self._output.mux(self._stream.encode())
