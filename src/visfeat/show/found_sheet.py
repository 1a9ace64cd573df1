"""What a search found as a page: the question's pictures, then the answers in their order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from visfeat.media.item import uri_of
from visfeat.show.contact_sheet import Tile
from visfeat.show.html_sheet import Section, save_html_sheet

if TYPE_CHECKING:
    from visfeat.search.answer import Answer
    from visfeat.search.questions import Shown
    from visfeat.search.searcher import Passage

_NO_PICTURE = Image.new("RGB", (320, 240), (214, 219, 226))


def save_found_sheet(path: str | os.PathLike[str], answer: Answer) -> Path:
    """Write one HTML file with all pictures inside; raises StoreError where it cannot be written."""
    asked = [_asked(shown) for shown in answer.shown]
    count = len(answer.passages)
    sections = [
        Section("Question", asked),
        Section(f"{count} answer{'' if count == 1 else 's'}", _answers(answer.passages), f"among {answer.rows} rows"),
    ]
    return save_html_sheet(path, sections, title=f"Search: {', '.join(tile.uri.rpartition('/')[2] for tile in asked)}")


def _asked(shown: Shown) -> Tile:
    line = "wanted" if shown.wanted else "not wanted"
    if not shown.is_file:
        return Tile(shown.name, None, line, is_query=True, picture=_NO_PICTURE)
    uri = shown.name if "://" in shown.name or shown.name.startswith("tar:") else uri_of(shown.name)
    at = "" if shown.at_s is None else f", at {shown.at_s:.2f} s"
    return Tile(uri, shown.at_s, line + at, is_query=True)


def _answers(passages: Sequence[Passage]) -> list[Tile]:
    return [Tile(one.uri, one.at_s, f"cosine {one.score:.3f}{_times(one)}") for one in passages]


def _times(passage: Passage) -> str:
    if passage.start_s is None or passage.at_s is None:
        return ""
    return f", {passage.start_s:.2f} to {passage.end_s:.2f} s, best at {passage.at_s:.2f} s"
