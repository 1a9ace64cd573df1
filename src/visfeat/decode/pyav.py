"""Videos by PyAV, which brings its own FFmpeg: frames in presentation order with exact times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from fractions import Fraction
from functools import partial

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.orientation import clockwise_degrees, is_sideways, upright
from visfeat.decode.still import check_pixels
from visfeat.decode.video_duration import last_packet
from visfeat.decode.video_packets import DecodedFrames, describe_loss
from visfeat.decode.video_stream import (
    choose_stream,
    frame_rate,
    has_index,
    orientation_of,
    picture_notes,
    pixel_aspect,
    promised_duration_s,
    square_size,
)
from visfeat.decode.video_times import VideoClock
from visfeat.errors import BrokenMedia
from visfeat.frames import Frame, StreamInfo
from visfeat.media.item import Kind, MediaItem

_DEFAULT_RATE = Fraction(25)
"""Frames a second where nothing at all says it; FFmpeg's own default for bare streams."""


class PyavDecoder:
    """One video stream, read once from its first displayed frame to its last in flat memory.

    The header does not tell how a picture is turned, so opening decodes the first frame. Colors are converted by the
    frame's own matrix and range (BT.601, BT.709, BT.2020; limited or full); where it names none, swscale takes BT.601
    and limited range, as FFmpeg's own tools do.
    """

    name = "pyav"
    info: StreamInfo

    def __init__(self, item: MediaItem, content: bytes | None, options: DecodeOptions) -> None:  # noqa: ARG002
        self.problem: str | None = None
        self._item, self._options = item, options
        with _decoding():
            self._container = self._connect()
        try:
            with _decoding():
                self._open(options)
        except BaseException:
            self._container.close()
            raise

    @staticmethod
    def accepts(item: MediaItem, options: DecodeOptions) -> bool:  # noqa: ARG004 (the protocol's)
        """Whatever is a video by its content."""
        return item.kind is Kind.VIDEO

    def frames(self) -> Iterator[Frame]:
        """All frames, once. Each ends where the next begins; the last, and one before a loss, after its own duration.

        A frame may be converted at any later time, but not from two threads at once. What could not be decoded is told
        in ``problem`` afterwards, what had to be mended about the times in ``info.notes``.
        """
        current, index = self._first, 0
        start_s = self._clock.start_of(current.pts, self._lost_at_first)
        with _decoding():
            for following, lost in self._rest:
                next_s = self._clock.start_of(following.pts, lost)
                end_s = next_s
                if lost:
                    end_s = min(next_s, start_s + self._clock.duration_of(current.duration))
                yield self._frame(current, index, start_s, end_s)
                current, start_s, index = following, next_s, index + 1
        end_s = start_s + self._clock.duration_of(current.duration)
        self.problem = self._problem(end_s)
        self.info = replace(self.info, notes=tuple(dict.fromkeys((*self.info.notes, *self._clock.notes))))
        yield self._frame(current, index, start_s, end_s)

    def measure_duration_s(self) -> Fraction:
        """When the last frame ends, from the packets where their stamps are sound, else by decoding once more."""
        with _decoding(), _open_container(self._item) as container:
            stream = choose_stream(container, self._options.stream)
            last = None if self._by_order or self._first.pts is None else last_packet(container, stream)
        if last is not None and self._origin is not None:
            stamp, ticks = last
            return (stamp - self._origin) * self._time_base + self._clock.duration_of(ticks)
        with closing(PyavDecoder(self._item, None, self._options)) as again:
            *_, end_s = (frame.end_s for frame in again.frames())
            return end_s or Fraction(0)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _connect(self) -> InputContainer:
        return _open_container(self._item)

    def _open(self, options: DecodeOptions) -> None:
        stream = choose_stream(self._container, options.stream)
        self._aspect = pixel_aspect(stream)
        check_pixels(*square_size(stream.height, stream.width, self._aspect), options.max_pixels)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = options.threads
        # A stream may grow on the way; codecs count with a margin of up to a macroblock, so this limit is a wide one.
        stream.codec_context.options = {"max_pixels": str(2 * options.max_pixels)}
        self._time_base = Fraction(stream.time_base or Fraction(1, 1_000_000))
        self._decoded = DecodedFrames(self._container, stream)
        self._rest = iter(self._decoded)
        first = next(self._rest, None)
        if first is None:
            raise BrokenMedia(describe_loss(self._decoded, self._time_base, None) or "it holds no frames")
        self._first, self._lost_at_first = first
        self._orientation = orientation_of(self._first)
        self._reformatters: defaultdict[tuple[int, int], VideoReformatter] = defaultdict(VideoReformatter)
        rate = frame_rate(stream)
        self._by_order = self._first.pts is None or _stamps_in_decoding_order(self._container.format.name, stream)
        # Time 0 is the first frame that should have come out.
        self._origin = _earlier(self._first.pts, self._decoded.lost_from)
        self._clock = VideoClock(
            self._time_base, 1 / (rate or _DEFAULT_RATE), by_order=self._by_order, origin=self._origin
        )
        self._start_s = None if self._origin is None else self._origin * self._time_base
        self._promised_s = promised_duration_s(self._container, stream, self._start_s or Fraction(0))
        self.info = self._describe(stream, rate)

    def _describe(self, stream: av.VideoStream, rate: Fraction | None) -> StreamInfo:
        height, width = square_size(self._first.height, self._first.width, self._aspect)
        if is_sideways(self._orientation):
            height, width = width, height
        duration_s = self._promised_s
        if duration_s is None and self._container.duration:
            duration_s = Fraction(self._container.duration, 1_000_000)
        return StreamInfo(
            height=height,
            width=width,
            num_frames=stream.frames or None,
            average_fps=rate,
            duration_s=None if duration_s is None else float(duration_s),
            start_time_s=None if self._start_s is None else float(self._start_s),
            rotation=clockwise_degrees(self._orientation),
            codec=stream.codec_context.codec.canonical_name,
            notes=(*picture_notes(self._first), *self._clock.notes),
        )

    def _frame(self, decoded: VideoFrame, index: int, start_s: Fraction, end_s: Fraction) -> Frame:
        return Frame(
            index=index,
            start_s=start_s,
            end_s=end_s,
            is_keyframe=bool(decoded.key_frame),
            rgb=partial(self._rgb, decoded),
            scaled=partial(self._scaled, decoded),
        )

    def _rgb(self, decoded: VideoFrame) -> NDArray[np.uint8]:
        return self._converted(decoded, square_size(decoded.height, decoded.width, self._aspect))

    def _scaled(self, decoded: VideoFrame, size_px: tuple[int, int]) -> NDArray[np.uint8]:
        return self._converted(decoded, size_px[::-1] if is_sideways(self._orientation) else size_px)

    def _converted(self, decoded: VideoFrame, size_px: tuple[int, int]) -> NDArray[np.uint8]:
        """Upright RGB; ``size_px`` is that of the picture before it is turned."""
        is_stored_size = size_px == (decoded.height, decoded.width)
        with _decoding():
            # One for each size: a reformatter prepares its tables anew whenever the size changes.
            rgb24 = self._reformatters[size_px].reformat(
                decoded,
                width=size_px[1],
                height=size_px[0],
                format="rgb24",
                interpolation=Interpolation.BILINEAR if is_stored_size else Interpolation.BICUBIC,
                threads=1,
            )
        return upright(np.asarray(rgb24.to_ndarray(), dtype=np.uint8), self._orientation)

    def _problem(self, end_s: Fraction) -> str | None:
        """What is missing, after the last frame: lost packets, or an end well before the promised one."""
        missing = describe_loss(self._decoded, self._time_base, self._origin)
        promised_s = self._promised_s
        if promised_s is not None and promised_s - end_s > max(Fraction(1), promised_s / 20):
            early = f"it ends at {float(end_s):.1f} s where its header promises {float(promised_s):.1f} s"
            return f"{missing}; {early}" if missing else early
        return missing


def _earlier(stamp: int | None, other: int | None) -> int | None:
    return stamp if stamp is None or other is None else min(stamp, other)


def _open_container(item: MediaItem) -> InputContainer:
    try:
        return av.open(item.path, mode="r", metadata_errors="replace")
    except InvalidDataError:
        if item.format in ("mp4", "mov") and not has_index(item.path):
            raise BrokenMedia("its index (moov) is missing: the file was cut short or never finished") from None
        raise


def _stamps_in_decoding_order(container: str, stream: av.VideoStream) -> bool:
    """Whether packets carry no presentation times although the codec reorders frames."""
    context = stream.codec_context
    return container == "avi" and context.codec.canonical_name in ("h264", "hevc") and bool(context.has_b_frames)


@contextmanager
def _decoding() -> Iterator[None]:
    """Turn FFmpeg's errors into a MediaError with the reason."""
    try:
        yield
    except FFmpegError as error:
        raise BrokenMedia(error.strerror or str(error)) from None
