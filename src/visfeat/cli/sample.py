"""``visfeat sample``: which files to look at or label first."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from visfeat.errors import UsageError

if TYPE_CHECKING:
    from visfeat.diverse import Picks

_COLUMNS = ("uri", "start_s", "distance")


def sample(
    store: Annotated[Path, Argument(help="The store's folder.")] = Path("features.vf"),
    number: Annotated[int, Option("-n", help="How many items.")] = 20,
    diverse: Annotated[bool, Option("--diverse", help="As unlike each other as can be; else at random.")] = False,
    labels: Annotated[
        str | None, Option(help="A table of uri and label: what has one is not picked, and what is like it comes late.")
    ] = None,
    seed: Annotated[int, Option(help="The same seed gives the same items.")] = 0,
    recipe: Annotated[
        str | None, Option("--recipe", "-r", help="A recipe's name, or its digest or the beginning.")
    ] = None,
    layer: Annotated[str | None, Option(help="Which layer's features.")] = None,
    html: Annotated[Path | None, Option(help="Write a page with a picture of every item.")] = None,
    png: Annotated[Path | None, Option(help="Write a picture of them all.")] = None,
    json_: Annotated[bool, Option("--json", help="Print a JSON list, and nothing else.")] = False,
) -> None:
    """Pick items of a store to look at or label first; sample media to try things on come from visfeat samples."""
    from visfeat.cli.tables import print_table
    from visfeat.diverse import pick_at_random, pick_diverse
    from visfeat.figure import checked_path
    from visfeat.store import open_store

    for path, ending in ((html, ".html"), (png, ".png")):
        if path is not None:
            checked_path(path, (ending,))
    if number < 1:
        raise UsageError(f"-n {number}: must be at least 1")
    opened = open_store(store)
    known: frozenset[str] = frozenset()
    if labels is not None:
        from visfeat.labels import read_labels

        read = read_labels(labels, opened)
        if (said := read.complaint()) is not None:
            print(f"visfeat: {said}", file=sys.stderr)
        known = frozenset(entry.uri for entry in read.entries)
    pick = pick_diverse if diverse else pick_at_random
    found = pick(opened, number, known=known, seed=seed, recipe=recipe, layer=layer)
    if json_:
        print(json.dumps([asdict(one) for one in found.picks]))
    else:
        print_table(_COLUMNS, [(one.uri, one.start_s, one.distance) for one in found.picks])
        print(f"every row lies within {found.covered:.3f} of one of these{_among(found)}")
    _draw(found, html, png)


def _among(found: Picks) -> str:
    return "" if found.among == found.rows else f" (chosen among {found.among:,} of {found.rows:,} rows)"


def _draw(found: Picks, html: Path | None, png: Path | None) -> None:
    if html is None and png is None:
        return
    from visfeat.show.contact_sheet import Tile
    from visfeat.show.html_sheet import Section, save_html_sheet
    from visfeat.show.section_sheet import save_section_sheet
    from visfeat.show.thumbnails import with_pictures

    lines = [
        f"{number}: distance {one.distance:.3f}" + ("" if one.start_s is None else f", at {one.start_s:.2f} s")
        for number, one in enumerate(found.picks, start=1)
    ]
    tiles = with_pictures(Tile(one.uri, one.start_s, line) for one, line in zip(found.picks, lines, strict=True))
    section = Section("", tiles, f"every row lies within {found.covered:.3f} of one of these{_among(found)}")
    title = f"{len(tiles)} items to look at first"
    if html is not None:
        print(save_html_sheet(html, [section], title=title), file=sys.stderr)
    if png is not None:
        print(save_section_sheet(png, [section], title=title), file=sys.stderr)
