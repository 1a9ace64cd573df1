"""Small pictures of what a row stands for: an image, or the frame of a video on display at a moment."""

from __future__ import annotations

from fractions import Fraction

from PIL import Image

from visfeat.decode.decoder import DecodeOptions, Decoder
from visfeat.decode.open import open_decoder
from visfeat.errors import BrokenMedia
from visfeat.frames import Frame
from visfeat.media.item import MediaItem
from visfeat.media.read import identify
from visfeat.sample import on_display

ROUNDING_S = Fraction(1, 1_000_000)
"""A stored start is the nearest float64 to the exact one and may lie before it, where another frame is on display."""


def thumbnail(uri: str, at_s: float | None, box_px: tuple[int, int]) -> Image.Image:
    """The picture, shrunk to fit inside ``box_px`` (width, height); never enlarged.

    ``at_s``: seconds after the first displayed frame, None for an image or for the first frame. Raises MediaError
    where the file is gone, cannot be decoded, or ends before that moment.
    """
    item, content = identify(MediaItem(uri, size_bytes=0, mtime_ns=0))
    # Twice the box: what a JPEG is decoded at may be coarse, what it is shrunk to from there is not.
    decoder = open_decoder(item, content, DecodeOptions(reducible_to_px=2 * min(box_px)))
    try:
        picture = Image.fromarray(_frame(decoder, at_s).rgb())
    finally:
        decoder.close()
    picture.thumbnail(box_px, Image.Resampling.LANCZOS)
    return picture


def _frame(decoder: Decoder, at_s: float | None) -> Frame:
    """The first frame, or the one on display at ``at_s``."""
    frames = decoder.frames()
    if at_s is None:
        return next(frames)
    for _, _, frame in on_display(frames, iter([Fraction(at_s) + ROUNDING_S])):
        return frame
    raise BrokenMedia(f"no frame is on display at {at_s:g} s")
