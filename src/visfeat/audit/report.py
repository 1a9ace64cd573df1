"""An audit as a page with pictures, and as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from visfeat.audit.finding import MEANINGS, Finding, What
from visfeat.audit.run import Audit
from visfeat.errors import StoreError
from visfeat.show.contact_sheet import Tile
from visfeat.show.html_sheet import Section, save_html_sheet
from visfeat.show.thumbnails import with_pictures

MOST_SHOWN = 60
"""Of each kind in a page; the JSON has all."""
TITLES: dict[What, str] = {
    "unreadable": "Unreadable",
    "blurred": "Blurred",
    "dark": "Dark",
    "overexposed": "Overexposed",
    "low_information": "Low information",
    "odd_aspect": "Odd aspect",
    "outlier": "Outliers",
    "leak": "Near-duplicates between splits",
    "label": "Labels that neighbors contradict",
}


def as_json(found: Audit) -> dict[str, Any]:
    """items, looked_at, counts by kind, notes, and all findings."""
    return {
        "items": found.items,
        "looked_at": found.looked_at,
        "counts": counts(found),
        "notes": list(found.notes),
        "findings": [one.to_json() for one in found.findings],
    }


def counts(found: Audit) -> dict[str, int]:
    """How many findings of each kind, zeros included."""
    return {what: len(found.of(what)) for what in MEANINGS}


def save_report(found: Audit, path: str | os.PathLike[str], *, title: str) -> Path:
    """Write the page, by its ending .html, or the JSON; raises StoreError where it cannot be written."""
    target = Path(path)
    if target.suffix.lower() == ".html":
        return save_html_sheet(target, sections(found), title=title)
    try:
        target.write_text(json.dumps(as_json(found), indent=2) + "\n", "utf-8")
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def sections(found: Audit) -> list[Section]:
    """First what there is in numbers, then a section a kind: the worst findings with their pictures."""
    said = ", ".join(f"{TITLES[what].lower()}: {count}" for what, count in _known(found))
    notes = "".join(f"; {note}" for note in found.notes)
    overview = (
        f"{found.items:,} items, {found.looked_at:,} different contents looked at. {said or 'Nothing found'}{notes}."
    )
    made = [Section("Overview", [], overview)]
    for what, count in _known(found):
        shown = found.of(what)[:MOST_SHOWN]
        more = f" The worst {len(shown)} are shown." if len(shown) < count else ""
        tiles = with_pictures(tile for one in shown for tile in _tiles(one))
        made.append(Section(f"{TITLES[what]} ({count:,})", tiles, f"{MEANINGS[what]}.{more}"))
    return made


def _known(found: Audit) -> list[tuple[What, int]]:
    return [(what, len(found.of(what))) for what in MEANINGS if found.of(what)]


def _tiles(one: Finding) -> list[Tile]:
    """The item, and beside it the one of another split."""
    line = "" if one.score is None else f"{one.score:.3f}, threshold {one.threshold:.3f}"
    tile = Tile(one.uri, one.start_s, "; ".join(part for part in (line, one.note) if part))
    if one.other is None:
        return [tile]
    return [tile, Tile(one.other, one.other_start_s, "nearly the same, in the other split", is_query=True)]
