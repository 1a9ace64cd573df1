"""Small pictures of many moments: each file is opened once, whatever the number of its moments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import islice

from PIL import Image

from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.open import open_decoder
from visfeat.errors import MediaError
from visfeat.frames import Frame
from visfeat.media.item import MediaItem
from visfeat.media.read import identify
from visfeat.sample import OnDisplay
from visfeat.show.contact_sheet import Tile
from visfeat.show.thumbnail import ROUNDING_S, thumbnail

Moment = tuple[str, float | None]
"""A URI, and seconds after the first displayed frame; None for an image."""

_TILE_PX = (320, 240)


def thumbnails(moments: Sequence[Moment], box_px: tuple[int, int]) -> Iterator[tuple[int, Image.Image]]:
    """The index of each moment with its picture, shrunk to fit inside ``box_px``, as ``thumbnail`` makes it.

    They come file by file. Moments that cannot be read are left out.
    """
    of_file: dict[str, list[int]] = defaultdict(list)
    for index, (uri, _) in enumerate(moments):
        of_file[uri].append(index)
    for uri, indices in of_file.items():
        timed = [(at_s, index) for index in indices if (at_s := moments[index][1]) is not None]
        still = [index for index in indices if moments[index][1] is None]
        try:
            if still:
                picture = thumbnail(uri, None, box_px)
                yield from ((index, picture) for index in still)
            yield from _of_video(uri, sorted(timed), box_px)
        except MediaError:
            continue  # whoever shows them asks for these by ``thumbnail``, which says why


def with_pictures(tiles: Iterable[Tile]) -> list[Tile]:
    """The same tiles, each with its picture where it could be read, so that a video is opened once for all of them."""
    tiles = list(tiles)
    for index, picture in thumbnails([(tile.uri, tile.at_s) for tile in tiles], _TILE_PX):
        tiles[index] = replace(tiles[index], picture=picture)
    return tiles


def _of_video(uri: str, timed: list[tuple[float, int]], box_px: tuple[int, int]) -> Iterator[tuple[int, Image.Image]]:
    """The pictures of a video at ascending times, in one pass that ends with the last of them."""
    if not timed:
        return
    item, content = identify(MediaItem(uri, size_bytes=0, mtime_ns=0))
    sampler = OnDisplay(iter([Fraction(at_s) + ROUNDING_S for at_s, _ in timed]))
    with closing(open_decoder(item, content, DecodeOptions())) as decoder:
        found = (one for frame in decoder.frames() for one in sampler.feed(frame))
        before: tuple[int, Image.Image] | None = None
        for one in islice(found, len(timed)):
            # Moments of one frame share its picture.
            if before is None or before[0] != one.frame.index:
                before = one.frame.index, _shrunk(one.frame, box_px)
            yield timed[one.position][1], before[1]


def _shrunk(frame: Frame, box_px: tuple[int, int]) -> Image.Image:
    picture = Image.fromarray(frame.rgb())
    picture.thumbnail(box_px, Image.Resampling.LANCZOS)
    return picture
