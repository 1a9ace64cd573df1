"""What all decoders of still images share: their bytes, their one frame, the limit on pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import MediaError, TooManyPixels
from visfeat.frames import NO_INDEX, Frame
from visfeat.media.item import MediaItem


def content_of(item: MediaItem, content: bytes | None) -> bytes:
    """The item's bytes: those that were read already, else its file's; raises MediaError."""
    if content is not None:
        return content
    try:
        return Path(item.path).read_bytes()
    except OSError as error:
        raise MediaError(error.strerror or str(error)) from None


def still_frame(picture: NDArray[np.uint8]) -> Frame:
    """The only frame of a still image; it holds one array ``(H, W, 3)``, which the first caller may keep."""
    return Frame(index=NO_INDEX, start_s=None, end_s=None, is_keyframe=True, rgb=lambda: picture)


def check_pixels(height: int, width: int, max_pixels: int) -> None:
    """Raise TooManyPixels where a header promises more than ``max_pixels``."""
    if height * width > max_pixels:
        raise TooManyPixels(
            f"its header says {width} x {height} = {height * width:,} pixels, more than --max-pixels {max_pixels:,}"
        )
