"""What a video container's header says: the stream to read, its square-pixel size, its orientation."""

from __future__ import annotations

import os
import re
import struct
from fractions import Fraction
from typing import Any

from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from visfeat.decode.orientation import UPRIGHT
from visfeat.errors import MediaError, UnsupportedMedia

# Signs of a display matrix's a, b, c, d (stored x, y is shown at ax + cy, bx + dy) and the orientation they mean.
_ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
_TRUSTED_DURATIONS = ("mov", "matroska", "avi", "asf", "flv")
"""Containers that write a duration down; of others FFmpeg guesses it from what it finds."""
_FROM_ZERO = ("matroska", "flv")
_TRANSFERS = {16: "HDR (PQ), shown without tone mapping", 18: "HDR (HLG), shown without tone mapping"}


def has_index(path: str) -> bool:
    """Whether an mp4 or mov file holds its index, the box ``moov``, at the top level and whole; raises OSError."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        at = 0
        while at + 8 <= size:
            file.seek(at)
            header = file.read(16)
            length, name = int.from_bytes(header[:4], "big"), header[4:8]
            if length == 1:  # the true length stands behind the name
                length = int.from_bytes(header[8:16], "big")
            if name == b"moov":
                return at + length <= size
            if length < 8:
                return False
            at += length
    return False


def choose_stream(container: InputContainer, wanted: int | None) -> VideoStream:
    """The video stream of that index, or the one with the most pixels (the first of several).

    Cover pictures do not count. Raises UnsupportedMedia where there is none, MediaError for an index beyond them.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise UnsupportedMedia("no video stream")
    readable = [stream for stream in streams if _has_decoder(stream)]
    if wanted is None and readable:
        return max(readable, key=lambda stream: stream.width * stream.height)  # max keeps the first of equals
    if wanted is not None and wanted >= len(streams):
        count = "1 video stream" if len(streams) == 1 else f"{len(streams)} video streams"
        raise MediaError(f"it has {count}, so there is no --stream {wanted} (they count from 0)")
    chosen = streams[wanted or 0]
    if not _has_decoder(chosen):
        raise UnsupportedMedia("its video codec is unknown, or damaged beyond recognition")
    return chosen


def _has_decoder(stream: VideoStream) -> bool:
    context: object = stream.codec_context  # None where FFmpeg knows no decoder, whatever its declaration says
    return context is not None


def pixel_aspect(stream: VideoStream) -> Fraction:
    """Width over height of one pixel; 1 where the header is silent."""
    aspect = stream.sample_aspect_ratio
    return Fraction(aspect) if aspect and aspect > 0 else Fraction(1)


def square_size(height: int, width: int, aspect: Fraction) -> tuple[int, int]:
    """Height and width with square pixels, never smaller than stored: wide pixels widen, tall ones heighten."""
    if aspect >= 1:
        return height, round(width * aspect)
    return round(height / aspect), width


def orientation_of(frame: VideoFrame) -> int:
    """The orientation in a frame's display matrix, as in EXIF; angles between are taken to the nearest right one."""
    side_data: Any = frame.side_data  # declared as a dictionary that lacks most of its keys
    try:
        matrix = side_data[Type.DISPLAYMATRIX]
    except KeyError:
        return UPRIGHT
    a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        b = c = 0
    else:
        a = d = 0
    return _ORIENTATIONS.get((_sign(a), _sign(b), _sign(c), _sign(d)), UPRIGHT)


def frame_rate(stream: VideoStream) -> Fraction | None:
    """Average frames a second by the header, or FFmpeg's guess from the first frames, or None."""
    rate = stream.average_rate or stream.guessed_rate
    return Fraction(rate) if rate and rate > 0 else None


def promised_duration_s(container: InputContainer, stream: VideoStream, start_s: Fraction) -> Fraction | None:
    """The stream's duration where the header says it, else the container's, else None; FFmpeg's guesses are left out.

    ``start_s`` is when the container's clock shows the first frame: Matroska and FLV count from the clock's zero.
    """
    if not container.format.name.startswith(_TRUSTED_DURATIONS):
        return None
    if stream.duration and stream.time_base:
        return stream.duration * Fraction(stream.time_base)
    said = re.match(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if said:
        end_s = int(said[1]) * 3600 + int(said[2]) * 60 + Fraction(said[3])
    elif container.duration:
        end_s = Fraction(container.duration, 1_000_000)
    else:
        return None
    return end_s - start_s if container.format.name.startswith(_FROM_ZERO) else end_s


def picture_notes(frame: VideoFrame) -> tuple[str, ...]:
    """What a reader should know of how the pictures were shot."""
    notes = ("interlaced",) if frame.interlaced_frame else ()
    transfer = _TRANSFERS.get(int(frame.color_trc))
    return (*notes, transfer) if transfer else notes


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
