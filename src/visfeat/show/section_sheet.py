"""Sections of pictures as one PNG: each section a title and a row of tiles."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from visfeat.errors import StoreError
from visfeat.show.contact_sheet import (
    CELL_PX,
    FAINT_INK,
    GAP_PX,
    INK,
    MARGIN_PX,
    PAPER,
    TEXT_PX,
    TITLE_HEIGHT_PX,
    TITLE_PX,
    draw_tile,
    shortened,
)
from visfeat.show.html_sheet import Section

_HEADING_PX = 17
_HEADING_HEIGHT_PX = 30
_SECTION_GAP_PX = 34


def section_sheet(sections: Sequence[Section], *, title: str, columns: int = 6) -> Image.Image:
    """Draw the sections below each other, the pictures of each in rows of at most ``columns``."""
    columns = max(1, min(columns, max((len(one.tiles) for one in sections), default=1)))
    width = 2 * MARGIN_PX + columns * CELL_PX[0] + (columns - 1) * GAP_PX
    tops, height = [], MARGIN_PX + TITLE_HEIGHT_PX
    for section in sections:
        tops.append(height)
        rows = -(-len(section.tiles) // columns)
        height += _HEADING_HEIGHT_PX + rows * CELL_PX[1] + max(0, rows - 1) * GAP_PX + _SECTION_GAP_PX
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(TITLE_PX)
    draw.text((MARGIN_PX, MARGIN_PX - 6), shortened(title, width - 2 * MARGIN_PX, font), INK, font)
    for section, top in zip(sections, tops, strict=True):
        _draw_section(sheet, draw, section, top, columns)
    return sheet


def save_section_sheet(
    path: str | os.PathLike[str], sections: Sequence[Section], *, title: str, columns: int = 6
) -> Path:
    """Write the sheet as a PNG; raises StoreError where the file cannot be written."""
    target = Path(path)
    try:
        section_sheet(sections, title=title, columns=columns).save(target, format="PNG")
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def _draw_section(sheet: Image.Image, draw: ImageDraw.ImageDraw, section: Section, top: int, columns: int) -> None:
    heading, small = ImageFont.load_default(_HEADING_PX), ImageFont.load_default(TEXT_PX)
    draw.text((MARGIN_PX, top), section.title, INK, heading)
    left = MARGIN_PX + int(heading.getlength(section.title)) + 14
    note = shortened(section.note, max(1, sheet.width - MARGIN_PX - left), small) if section.note else ""
    draw.text((left, top + 2), note, FAINT_INK, small)
    for number, tile in enumerate(section.tiles):
        row, column = divmod(number, columns)
        corner = (MARGIN_PX + column * (CELL_PX[0] + GAP_PX), top + _HEADING_HEIGHT_PX + row * (CELL_PX[1] + GAP_PX))
        draw_tile(sheet, draw, tile, corner)
