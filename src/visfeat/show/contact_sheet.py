"""Contact sheet: a query and its neighbors as one picture, each with its name, time and score."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from visfeat.errors import MediaError, StoreError
from visfeat.media.item import path_of
from visfeat.search import Neighbor
from visfeat.show.thumbnail import thumbnail

Color = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PAPER, _FRAME, INK, FAINT_INK, _ACCENT = (255,) * 3, (241, 242, 244), (28, 30, 33), (110, 116, 124), (203, 75, 22)
MARGIN_PX, GAP_PX, _BORDER_PX = 28, 20, 4
PICTURE_PX = (232, 174)
TEXT_PX = 15
LINE_PX = 20
TITLE_PX = 22
_CAPTION_LINES = 2
CELL_PX = (PICTURE_PX[0], PICTURE_PX[1] + 10 + _CAPTION_LINES * LINE_PX)
TITLE_HEIGHT_PX = 44


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of a sheet: the image or moment it shows, and the line under its name.

    ``picture`` is shown as it is, a small one enlarged, where there is one; else the file is read.
    """

    uri: str
    at_s: float | None
    line: str
    is_query: bool = False
    picture: Image.Image | None = None


def tiles(uri: str, at_s: float | None, neighbors: Sequence[Neighbor]) -> list[Tile]:
    """The query, then its neighbors in their order."""
    query = Tile(uri, at_s, f"query{_moment(at_s)}", is_query=True)
    return [query, *(Tile(one.uri, one.start_s, f"cosine {one.score:.3f}{_moment(one.start_s)}") for one in neighbors)]


def _moment(at_s: float | None) -> str:
    return "" if at_s is None else f", at {at_s:.2f} s"


def contact_sheet(pictures: Sequence[Tile], *, title: str, columns: int = 4) -> Image.Image:
    """Draw the tiles in rows of ``columns``, the query with a colored frame.

    A picture that cannot be read becomes an empty frame that says why.
    """
    columns = max(1, min(columns, len(pictures)))
    rows = -(-len(pictures) // columns)
    width = 2 * MARGIN_PX + columns * CELL_PX[0] + (columns - 1) * GAP_PX
    height = 2 * MARGIN_PX + TITLE_HEIGHT_PX + rows * CELL_PX[1] + (rows - 1) * GAP_PX
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    title_font = ImageFont.load_default(TITLE_PX)
    draw.text((MARGIN_PX, MARGIN_PX - 6), shortened(title, width - 2 * MARGIN_PX, title_font), INK, title_font)
    for number, tile in enumerate(pictures):
        left = MARGIN_PX + number % columns * (CELL_PX[0] + GAP_PX)
        top = MARGIN_PX + TITLE_HEIGHT_PX + number // columns * (CELL_PX[1] + GAP_PX)
        draw_tile(sheet, draw, tile, (left, top))
    return sheet


def save_contact_sheet(path: str | os.PathLike[str], pictures: Sequence[Tile], *, title: str) -> Path:
    """Write the sheet as a PNG; raises StoreError where the file cannot be written."""
    target = Path(path)
    try:
        contact_sheet(pictures, title=title).save(target, format="PNG")
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def draw_tile(sheet: Image.Image, draw: ImageDraw.ImageDraw, tile: Tile, corner: tuple[int, int]) -> None:
    """Draw picture, name and line with the left upper corner of the picture's place at ``corner`` (x, y)."""
    left, top = corner
    width, height = PICTURE_PX
    draw.rectangle((left, top, left + width - 1, top + height - 1), fill=_FRAME)
    font = ImageFont.load_default(TEXT_PX)
    try:
        picture = _fitted(tile.picture) if tile.picture else thumbnail(tile.uri, tile.at_s, (width, height))
    except MediaError as error:
        draw.text((left + 10, top + 10), shortened(str(error), width - 20, font), FAINT_INK, font)
    else:
        sheet.paste(picture, (left + (width - picture.width) // 2, top + (height - picture.height) // 2))
    if tile.is_query:
        outer = (left - _BORDER_PX, top - _BORDER_PX, left + width + _BORDER_PX - 1, top + height + _BORDER_PX - 1)
        draw.rectangle(outer, outline=_ACCENT, width=_BORDER_PX)
    name = os.path.basename(path_of(tile.uri)) or tile.uri
    text_top = top + height + 10
    draw.text((left, text_top), shortened(name, width, font), INK, font)
    line = shortened(tile.line, width, font)
    draw.text((left, text_top + LINE_PX), line, _ACCENT if tile.is_query else FAINT_INK, font)


def _fitted(picture: Image.Image) -> Image.Image:
    """As large as there is room: a small picture by whole steps, so that its pixels can be seen."""
    times = min(room // side for room, side in zip(PICTURE_PX, picture.size, strict=True))
    if times > 1:
        return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    small = picture.copy()
    small.thumbnail(PICTURE_PX, Image.Resampling.LANCZOS)
    return small


def shortened(text: str, width_px: int, font: Font) -> str:
    """The text, with dots in place of its middle where it is wider than ``width_px``."""
    printable = "".join(sign if sign.isprintable() else "?" for sign in text)
    kept = len(printable)
    short = printable
    while font.getlength(short) > width_px and kept > 2:
        kept -= 1
        short = f"{printable[: kept // 2]}...{printable[-(kept - kept // 2) :]}"
    return short
