"""Media that tests make themselves: videos whose frames spell their number, pictures with four colors."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visfeat.decode import DecodeOptions, Decoder, open_decoder
from visfeat.media import MediaItem, identify, uri_of

BITS = 8
BLOCK_PX = 32
HEIGHT_PX, WIDTH_PX = 2 * BLOCK_PX, BITS // 2 * BLOCK_PX

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 200, 30), (30, 30, 220), (220, 210, 40)


def numbered(number: int) -> NDArray[np.uint8]:
    """A picture (64, 128, 3) of eight black or white blocks that spell ``number`` in binary."""
    bits = np.array([(number >> bit) & 1 for bit in range(BITS)], dtype=np.uint8).reshape(2, BITS // 2)
    blocks = np.kron(bits * 220 + 16, np.ones((BLOCK_PX, BLOCK_PX), dtype=np.uint8))
    return np.repeat(blocks[:, :, None], 3, axis=2)


def number_in(picture: NDArray[np.uint8]) -> int:
    """The number that a decoded picture spells."""
    rows, columns = picture.shape[0] // 2, picture.shape[1] // (BITS // 2)
    middles = picture[rows // 2 :: rows, columns // 2 :: columns, 1].ravel()
    return sum(1 << bit for bit, value in enumerate(middles) if value > 128)


def quadrants(height: int = 40, width: int = 60) -> NDArray[np.uint8]:
    """Red and green above blue and yellow: tells all eight orientations apart."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2], picture[: height // 2, width // 2 :] = RED, GREEN
    picture[height // 2 :, : width // 2], picture[height // 2 :, width // 2 :] = BLUE, YELLOW
    return picture


def corners(picture: NDArray[np.uint8]) -> list[str]:
    """The colors of the quadrants of a decoded picture, row by row."""
    height, width = picture.shape[:2]
    named = {"red": RED, "green": GREEN, "blue": BLUE, "yellow": YELLOW}
    found = []
    for y, x in ((1, 1), (1, 3), (3, 1), (3, 3)):
        pixel = picture[height * y // 4, width * x // 4].astype(int)
        found.append(min(named, key=lambda name: int(np.abs(pixel - named[name]).sum())))
    return found


UPRIGHT_CORNERS = ["red", "green", "blue", "yellow"]


def photo(height: int = 301, width: int = 399, seed: int = 0) -> NDArray[np.uint8]:
    """A picture with smooth areas, edges and some noise, of odd size."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 90 * np.sin(x / (9 + 5 * c) + seed) * np.cos(y / (14 - 3 * c)) for c in range(3)]
    picture = np.stack(waves, axis=2) + rng.normal(0, 6, (height, width, 3))
    picture[height // 3 : height // 2, width // 4 : width // 2] = (250, 20, 60)
    return np.clip(picture, 0, 255).astype(np.uint8)


def encoded(picture: NDArray[Any] | Image.Image, format_name: str, **options: Any) -> bytes:
    """A picture as the bytes of an image file, by Pillow."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def write_video(
    path: Path,
    pictures: Sequence[NDArray[np.uint8]],
    *,
    codec: str = "libx264",
    rate: Fraction | int = 25,
    pixel_format: str = "yuv420p",
    b_frames: int = 0,
    keyframe_every: int = 12,
    stamps: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    rotation: tuple[Any, ...] | None = None,
    pixel_aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode pictures as a video; ``stamps`` are times in ``time_base``, else one frame each ``1 / rate``."""
    height, width = pictures[0].shape[:2]
    usual = {  # one thread: the same bytes on every machine
        "libx264": {"threads": "1"},
        "libx265": {"x265-params": f"log-level=none:pools=1:bframes={b_frames}:keyint={keyframe_every}"},
    }
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=usual.get(codec, {}) | (options or {}))
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.gop_size = keyframe_every
        if codec in ("libx264", "mpeg4", "mpeg2video"):
            stream.codec_context.max_b_frames = b_frames
        if time_base is not None:
            stream.codec_context.time_base = time_base
        if rotation is not None:
            stream.set_display_rotation(*rotation)
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=pixel_format)
            frame.pts = index if stamps is None else stamps[index]
            if time_base is not None:
                frame.time_base = time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_numbered(path: Path, count: int, **options: Any) -> Path:
    """A video whose frame n spells n."""
    return write_video(path, [numbered(n) for n in range(count)], **options)


def write_sound(path: Path, codec: str = "aac") -> Path:
    """A second of silence."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 48000), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def opened(path: Path, **options: Any) -> Decoder:
    """The decoder of a file, by the way a run takes."""
    item, content = identify(MediaItem(uri_of(path), 0, 0))
    return open_decoder(item, content, DecodeOptions(**options))


def opened_bytes(path: Path, content: bytes, **options: Any) -> Decoder:
    """The decoder of a file that is written first."""
    path.write_bytes(content)
    return opened(path, **options)


def only_picture(decoder: Decoder) -> NDArray[np.uint8]:
    """The pixels of a still image."""
    (frame,) = decoder.frames()
    assert frame.start_s is None
    picture = frame.rgb()
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    assert picture.shape[2] == 3
    return picture


def times(decoder: Decoder) -> list[tuple[int, int, Fraction | None, Fraction | None]]:
    """Index, number in the pixels, start and end of every frame."""
    return [(frame.index, number_in(frame.rgb()), frame.start_s, frame.end_s) for frame in decoder.frames()]


def steady(count: int, period: Fraction) -> list[tuple[int, int, Fraction | None, Fraction | None]]:
    """The ``times`` of a numbered video at a constant rate."""
    return [(n, n, n * period, (n + 1) * period) for n in range(count)]


def pillow_says(content: bytes) -> NDArray[np.uint8]:
    """Pillow's own pixels."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def png_chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG with its length and checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
