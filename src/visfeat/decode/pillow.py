"""Every image format but plain JPEG, by Pillow and pillow-heif; animations as a first frame or as a video."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.orientation import (
    UPRIGHT,
    clockwise_degrees,
    exif_orientation,
    is_sideways,
    png_orientation,
    upright,
)
from visfeat.decode.pillow_rgb import rgb_of
from visfeat.decode.still import check_pixels, content_of, still_frame
from visfeat.errors import BrokenMedia, MediaError, TooManyPixels
from visfeat.frames import Frame, StreamInfo
from visfeat.media.item import MediaItem

# The classes themselves, not Image.open: no format but the one that was sniffed is tried, our own limit on pixels
# holds in place of Pillow's, and nothing is registered in a Pillow that the caller uses too.
_CLASSES = {
    "jpeg": "PIL.JpegImagePlugin:JpegImageFile",
    "png": "PIL.PngImagePlugin:PngImageFile",
    "webp": "PIL.WebPImagePlugin:WebPImageFile",
    "gif": "PIL.GifImagePlugin:GifImageFile",
    "bmp": "PIL.BmpImagePlugin:BmpImageFile",
    "tiff": "PIL.TiffImagePlugin:TiffImageFile",
    "avif": "PIL.AvifImagePlugin:AvifImageFile",
    "heic": "pillow_heif.as_plugin:HeifImageFile",
    "jp2": "PIL.Jpeg2KImagePlugin:Jpeg2KImageFile",
    "pnm": "PIL.PpmImagePlugin:PpmImageFile",
    "qoi": "PIL.QoiImagePlugin:QoiImageFile",
}
_ANIMATED = frozenset(("gif", "webp", "png", "avif"))
_UNSAID_DURATION_S = Fraction(1, 10)
"""How long a frame that says 0 is shown; what browsers do."""


class PillowDecoder:
    """An image by Pillow: one still frame, or with ``animations="video"`` all frames with their times."""

    name = "pillow"

    def __init__(self, item: MediaItem, content: bytes | None, options: DecodeOptions) -> None:
        self.problem: str | None = None
        with _decoding():
            content = content_of(item, content)
            self._image = _open(item.format, content)
            width, height = self._image.size
            check_pixels(height, width, options.max_pixels)
            self._orientation = _orientation(self._image, content)
            frames = getattr(self._image, "n_frames", 1) if item.format in _ANIMATED else 1
        self._is_video = options.animations == "video" and frames > 1
        # Pillow gives the size of a TIFF as it is once turned upright.
        if is_sideways(self._orientation) and item.format != "tiff":
            height, width = width, height
        self.info = StreamInfo(
            height=height,
            width=width,
            num_frames=frames if self._is_video else None,
            rotation=clockwise_degrees(self._orientation),
            codec=item.format,
        )

    @staticmethod
    def accepts(item: MediaItem, options: DecodeOptions) -> bool:  # noqa: ARG004 (the protocol's)
        """Images of the formats in the table above."""
        return item.format in _CLASSES

    def frames(self) -> Iterator[Frame]:
        """The picture, or an animation's frames; raises BrokenMedia where there is none.

        An animation that breaks off keeps the frames before, and ``problem`` says where.
        """
        if self._is_video:
            yield from self._animation()
        else:
            yield still_frame(self._picture())

    def measure_duration_s(self) -> Fraction | None:
        """The durations of an animation's frames, added up; None for a still image. Not while frames are being read."""
        if not self._is_video:
            return None
        end_s = Fraction(0)
        for frame in self._animation():
            end_s = frame.end_s or end_s
        self.problem = None
        return end_s

    def close(self) -> None:
        """Let go of the image."""
        self._image.close()

    def _picture(self) -> NDArray[np.uint8]:
        """The pixels of the current frame, upright."""
        with _decoding():
            self._image.load()
            picture = rgb_of(self._image)
            # A TIFF turns itself upright on loading and drops the tag.
            return upright(picture, UPRIGHT if self._image.format == "TIFF" else self._orientation)

    def _animation(self) -> Iterator[Frame]:
        start_s = Fraction(0)
        # An animated PNG may begin with a picture that is not part of the animation.
        skipped = 1 if getattr(self._image, "default_image", False) else 0
        for index in range((self.info.num_frames or 0) - skipped):
            try:
                with _decoding():
                    self._image.seek(index + skipped)
                frame = _timed(self._picture(), index, start_s, _duration_s(self._image))
            except MediaError as error:
                if index == 0:
                    raise
                self.problem = f"broken off after frame {index - 1} at {float(start_s):.3g} s: {error}"
                return
            assert frame.end_s is not None
            start_s = frame.end_s
            yield frame


def _open(format_name: str, content: bytes) -> ImageFile.ImageFile:
    module, _, name = _CLASSES[format_name].partition(":")
    image: ImageFile.ImageFile = getattr(importlib.import_module(module), name)(io.BytesIO(content))
    return image


def _orientation(image: Image.Image, content: bytes) -> int:
    """The orientation that the metadata tell, without decoding a pixel (as Pillow's own ``getexif`` would for PNG).

    HEIC comes upright from its library, which resets the tag.
    """
    if isinstance(image, TiffImageFile):
        value = image.tag_v2.get(ExifTags.Base.Orientation, UPRIGHT)
        return value if isinstance(value, int) and 1 <= value <= 8 else UPRIGHT
    if image.format == "PNG":
        return png_orientation(content)
    return exif_orientation(image.info.get("exif") or b"")


def _duration_s(image: Image.Image) -> Fraction:
    """How long the current frame is shown, exact (Pillow keeps milliseconds, of PNG as a float)."""
    seconds = Fraction(float(image.info.get("duration") or 0) / 1000).limit_denominator(65535)
    return seconds if seconds > 0 else _UNSAID_DURATION_S


def _timed(picture: NDArray[np.uint8], index: int, start_s: Fraction, duration_s: Fraction) -> Frame:
    end_s = start_s + duration_s
    return Frame(index=index, start_s=start_s, end_s=end_s, is_keyframe=index == 0, rgb=lambda: picture)


@contextmanager
def _decoding() -> Iterator[None]:
    """Turn whatever a damaged file makes Pillow raise into a MediaError with the reason."""
    try:
        yield
    except MediaError:
        raise
    except Image.DecompressionBombError as error:
        raise TooManyPixels(f"Pillow's own limit for this format: {error}") from None
    except Exception as error:  # noqa: BLE001 (the boundary to decoders that raise anything on damaged input)
        raise BrokenMedia(str(error) or type(error).__name__) from None
