"""Writing shots as files: copied where the stream can be cut without decoding it, else encoded anew.

A shot can be copied where it begins and the next one begins with a keyframe, and no frame in between needs one
outside. Files hold the video stream alone, without sound.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.open import open_decoder
from visfeat.decode.video_stream import choose_stream
from visfeat.errors import BrokenMedia, StoreError
from visfeat.frames import Frame
from visfeat.shots.detect import Shot, VideoShots

_TICK_S = Fraction(1, 90000)
_QUALITY = {"crf": "18", "preset": "veryfast"}


@dataclass(frozen=True, slots=True)
class ShotFile:
    """One shot as a file, and how it came to be."""

    path: Path
    how: Literal["copied", "encoded"]


@dataclass(frozen=True, slots=True)
class _Packets:
    """The packets of a shot, by their numbers in decoding order ``[first, end)``, and the time of the first frame."""

    first: int
    end: int
    start_pts: int


def split_shots(
    found: VideoShots,
    folder: str | os.PathLike[str],
    *,
    name: str | None = None,
    stream: int | None = None,
    keep: Iterable[str | os.PathLike[str]] = (),
) -> list[ShotFile]:
    """Write ``folder/NAME-0001.mp4``, ...; a copied shot keeps the video's own container.

    ``name``: None for the video's own without its ending. ``keep``: files that are not replaced, besides the video.
    Raises BrokenMedia where the video cannot be read or written by FFmpeg, or a file to be kept is in the way,
    StoreError where the folder cannot be made.
    """
    target, source = Path(folder), Path(found.item.path)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{target}: cannot be made ({error.strerror or error})") from None
    with _ffmpeg():
        ranges = _copyable(found, stream)
        files = [
            ShotFile(target / f"{name or source.stem}-{number:04d}{source.suffix}", "copied")
            if packets is not None
            else ShotFile(target / f"{name or source.stem}-{number:04d}.mp4", "encoded")
            for number, packets in enumerate(ranges, 1)
        ]
        _refuse_to_replace(files, [source, *keep])
        copies = [(one.path, packets) for one, packets in zip(files, ranges, strict=True) if packets is not None]
        _copy(source, copies, stream)
        encodings = [(one.path, shot) for one, shot in zip(files, found.shots, strict=True) if one.how == "encoded"]
        _encode(found, encodings, stream)
    return files


def _refuse_to_replace(files: Sequence[ShotFile], videos: Iterable[str | os.PathLike[str]]) -> None:
    """Raise BrokenMedia where a file to write is one of the videos, under whatever name."""
    there = {(about.st_dev, about.st_ino) for about in map(os.stat, filter(os.path.exists, videos))}
    for one in files:
        if one.path.exists() and (one.path.stat().st_dev, one.path.stat().st_ino) in there:
            raise BrokenMedia(f"its shots are not written: {one.path} is a video that was read; choose another folder")


def _copyable(found: VideoShots, stream: int | None) -> list[_Packets | None]:
    """For each shot its packets, or None where it has to be encoded."""
    with av.open(found.item.path) as container:
        packets = [
            (packet.pts, packet.is_keyframe)
            for packet in container.demux(choose_stream(container, stream))
            if packet.size
        ]
    stamps = [pts for pts, _ in packets if pts is not None]
    shown = sorted(stamps)
    if len(shown) != len(packets) or len(set(shown)) != found.shots[-1].end_frame:
        return [None] * len(found.shots)  # without stamps, or frames were lost
    place = {pts: number for number, pts in enumerate(stamps)}
    bounds = [place[shown[shot.start_frame]] for shot in found.shots] + [len(packets)]
    ranges: list[_Packets | None] = []
    for shot, first, end in zip(found.shots, bounds, bounds[1:], strict=False):
        inside = sorted(stamps[first:end]) == shown[shot.start_frame : shot.end_frame]
        closed = packets[first][1] and (end == len(packets) or packets[end][1])
        ranges.append(_Packets(first, end, stamps[first]) if inside and closed else None)
    return ranges


def _copy(source: Path, copies: Sequence[tuple[Path, _Packets]], stream: int | None) -> None:
    """Write packets as they are, with times from 0, in one pass."""
    if not copies:
        return
    with av.open(str(source)) as container:
        video = choose_stream(container, stream)
        packets = (packet for packet in container.demux(video) if packet.size)
        numbered = enumerate(packets)
        for path, wanted in copies:
            with av.open(str(path), "w") as output:
                copied = output.add_stream_from_template(video)
                for number, packet in numbered:
                    if number >= wanted.first:
                        assert packet.pts is not None
                        packet.pts -= wanted.start_pts
                        packet.dts = None if packet.dts is None else packet.dts - wanted.start_pts
                        packet.stream = copied
                        output.mux(packet)
                    if number + 1 == wanted.end:
                        break


def _encode(found: VideoShots, encodings: Sequence[tuple[Path, Shot]], stream: int | None) -> None:
    """Encode shots as H.264 in one pass over the video's frames."""
    if not encodings:
        return
    with closing(open_decoder(found.item, None, DecodeOptions(stream=stream))) as decoder:
        frames = decoder.frames()
        for path, shot in encodings:
            with av.open(str(path), "w") as output:
                _encode_shot(output, frames, shot, found.average_fps or Fraction(25))


def _encode_shot(output: OutputContainer, frames: Iterator[Frame], shot: Shot, rate: Fraction) -> None:
    video: VideoStream | None = None
    for frame in frames:
        if frame.index < shot.start_frame:
            continue
        picture = av.VideoFrame.from_ndarray(frame.rgb(), "rgb24")
        if video is None:
            video = output.add_stream("libx264", rate=rate, options=_QUALITY)
            # H.264 with shared colors has even sides.
            video.width, video.height, video.pix_fmt = picture.width // 2 * 2, picture.height // 2 * 2, "yuv420p"
            video.codec_context.time_base = _TICK_S
        small = picture.reformat(width=video.width, height=video.height, format="yuv420p")
        small.pts = round(((frame.start_s or Fraction(0)) - shot.start_s) / _TICK_S)
        small.time_base = _TICK_S
        output.mux(video.encode(small))
        if frame.index + 1 == shot.end_frame:
            break
    if video is not None:
        output.mux(video.encode())


@contextmanager
def _ffmpeg() -> Iterator[None]:
    """FFmpeg's errors as a MediaError with the reason."""
    try:
        yield
    except FFmpegError as error:
        raise BrokenMedia(f"its shots cannot be written ({error.strerror or error})") from None
