"""JPEG by libjpeg-turbo (simplejpeg): Pillow's own pixels, sooner, and smaller pictures where they suffice."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.orientation import clockwise_degrees, is_sideways, jpeg_orientation, upright
from visfeat.decode.pillow import PillowDecoder
from visfeat.decode.still import check_pixels, content_of, still_frame
from visfeat.frames import Frame, StreamInfo
from visfeat.media.item import MediaItem

_FACTORS = (8, 4, 2)
# What the strict decoder calls damage of the pixels; all else is a file that is odd but whole.
_DAMAGE = ("corrupt jpeg data", "premature end")
_PADDING = re.compile(r"(\d+) extraneous bytes")
_MOST_PADDING_BYTES = 32
"""Cameras pad by a few bytes; more that belong to nothing were pixels once."""


class JpegDecoder:
    """A JPEG as one frame, decoded with the exact DCT and smooth chroma, as Pillow does.

    It is strict: what it refuses (CMYK, damage, odd markers) Pillow gets to try, and refuses what is truncated.
    Where Pillow reads a file whose pixels this decoder found damaged, ``problem`` says so.
    """

    name = "jpeg"

    def __init__(self, item: MediaItem, content: bytes | None, options: DecodeOptions) -> None:
        self.problem: str | None = None
        self._item, self._options = item, options
        self._content = content_of(item, content)
        self._pillow: PillowDecoder | None = None
        self._orientation = jpeg_orientation(self._content)
        try:
            height, width, space, _ = simplejpeg.decode_jpeg_header(self._content)
        except ValueError:
            space = ""
        if space not in ("YCbCr", "Gray", "RGB"):
            self._pillow = PillowDecoder(item, self._content, options)
            self.info = self._pillow.info
            return
        check_pixels(height, width, options.max_pixels)
        self._size = height, width
        if is_sideways(self._orientation):
            height, width = width, height
        rotation = clockwise_degrees(self._orientation)
        self.info = StreamInfo(height=height, width=width, rotation=rotation, codec="jpeg")

    @staticmethod
    def accepts(item: MediaItem, options: DecodeOptions) -> bool:  # noqa: ARG004 (the protocol's)
        """JPEG files only."""
        return item.format == "jpeg"

    def frames(self) -> Iterator[Frame]:
        """The one frame; raises BrokenMedia where neither this decoder nor Pillow reads it."""
        if self._pillow is None:
            try:
                picture = self._decode()
            except ValueError as refusal:
                self._pillow = PillowDecoder(self._item, self._content, self._options)
                yield from self._pillow.frames()
                self.problem = _damage(str(refusal))
                return
            yield still_frame(upright(picture, self._orientation))
        else:
            yield from self._pillow.frames()

    def measure_duration_s(self) -> None:
        """A still image has no duration."""

    def close(self) -> None:
        """Let go of the file's content."""
        self._content = b""
        if self._pillow is not None:
            self._pillow.close()

    def _decode(self) -> NDArray[np.uint8]:
        """The stored picture; raises ValueError where the strict decoder refuses."""
        height, width = reduced_size(*self._size, self._options.reducible_to_px)
        picture: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            self._content, "RGB", fastdct=False, fastupsample=False, min_height=height, min_width=width
        )
        return picture


def reduced_size(height: int, width: int, reducible_to_px: int | None) -> tuple[int, int]:
    """Height and width after DCT scaling by the largest of 8, 4, 2 that leaves the short side at ``reducible_to_px``.

    >>> reduced_size(3000, 4000, 1024)
    (1500, 2000)
    """
    if reducible_to_px is not None:
        for factor in _FACTORS:
            small = -(-height // factor), -(-width // factor)
            if min(small) >= reducible_to_px:
                return small
    return height, width


def _damage(refusal: str) -> str | None:
    """What a refusal says about damaged pixels, None where it says nothing of the kind."""
    padding = _PADDING.search(refusal)
    if not refusal.lower().startswith(_DAMAGE) or (padding and int(padding[1]) <= _MOST_PADDING_BYTES):
        return None
    return f"the picture may be damaged ({refusal})"
