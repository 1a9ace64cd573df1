"""What a decoder is: a plugin that turns one item into frames in presentation order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol, runtime_checkable

from visfeat.frames import Frame, StreamInfo
from visfeat.media.item import MediaItem

DEFAULT_MAX_PIXELS = 250_000_000


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How to decode.

    ``max_pixels``: pictures whose header promises more are refused before decoding.
    ``reducible_to_px``: when set, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size as long as its short side
    stays at or above this many pixels. ``stream``: index among the video streams, None for the best.
    ``animations``: what an animated GIF, WebP or PNG is: its first frame or a video.
    ``threads``: how many a video codec may use, 0 for its own choice.
    """

    max_pixels: int = DEFAULT_MAX_PIXELS
    reducible_to_px: int | None = None
    stream: int | None = None
    animations: Literal["first", "video"] = "first"
    threads: int = 0


@runtime_checkable
class Decoder(Protocol):
    """A plugin of the group ``visfeat.decoders``: an open item.

    The constructor opens the item (raises MediaError) and reads its header only.
    """

    name: str
    """The plugin's own name, for reports."""

    info: StreamInfo
    """What the header says."""

    problem: str | None
    """After the frames were read: why some are missing (the item is then partial), else None."""

    def __init__(self, item: MediaItem, content: bytes | None, options: DecodeOptions) -> None:
        """Open the item; ``content`` is the whole file where it was read already, else None."""

    @staticmethod
    def accepts(item: MediaItem, options: DecodeOptions) -> bool:
        """Whether this decoder reads items of that kind and format."""

    def frames(self) -> Iterator[Frame]:
        """All frames in presentation order, from the first; raises MediaError where there is none."""

    def measure_duration_s(self) -> Fraction | None:
        """The exact time at which the last frame ends, found without converting any to RGB; None for a still image.

        It may read the whole file, and leaves ``frames`` as it was.
        """

    def close(self) -> None:
        """Release file and codec; may be called twice."""
