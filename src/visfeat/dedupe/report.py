"""What was found as a table: rows for a terminal or a CSV, and a page of pictures to look through."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from visfeat.dedupe.found import Duplicates, Group, Passage
from visfeat.show.contact_sheet import Tile
from visfeat.show.html_sheet import Section, save_html_sheet

COLUMNS = ("group", "kind", "uri", "start_s", "end_s", "score", "keep", "mirrored")
Row = tuple[int, str, str, float | None, float | None, float, bool, bool]

MOST_SECTIONS = 500
"""Groups and passages on one page; every picture is inside of it."""


def rows(found: Duplicates) -> Iterator[Row]:
    """One a member of a group or side of a passage, in the columns above; groups are counted from 1."""
    for number, group in enumerate(found.groups, start=1):
        for one in group.members:
            yield number, "picture", one.uri, None, None, one.score, one.keep, one.mirrored
    for number, passage in enumerate(found.passages, start=len(found.groups) + 1):
        for span in passage.spans:
            at = span.start_s, span.end_s
            yield number, "passage", span.uri, *at, passage.score, span.keep, passage.mirrored


def write_csv(found: Duplicates, file: TextIO) -> None:
    """The rows with a header."""
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for number, kind, uri, start_s, end_s, score, keep, mirrored in rows(found):
        times = ["" if time is None else f"{time:.3f}" for time in (start_s, end_s)]
        writer.writerow([number, kind, uri, *times, f"{score:.6f}", str(keep).lower(), str(mirrored).lower()])


def save_html(found: Duplicates, path: Path) -> Path:
    """One page with a section for each group and passage, up to 500; raises StoreError where it cannot be written."""
    sections = [_of_group(number, group) for number, group in enumerate(found.groups, start=1)]
    sections += [_of_passage(number, one) for number, one in enumerate(found.passages, start=len(sections) + 1)]
    title = f"Near-duplicates: {found.summary}"
    if len(sections) > MOST_SECTIONS:
        title += f" (the first {MOST_SECTIONS} of {len(sections)})"
    return save_html_sheet(path, sections[:MOST_SECTIONS], title=title)


def _of_group(number: int, group: Group) -> Section:
    tiles = [
        Tile(
            one.uri,
            None,
            "keep" if one.keep else f"cosine {one.score:.3f}{', mirrored' if one.mirrored else ''}",
            is_query=one.keep,
        )
        for one in group.members
    ]
    return Section(f"{number}: {len(tiles)} pictures", tiles)


def _of_passage(number: int, passage: Passage) -> Section:
    tiles = [
        Tile(
            span.uri,
            time_s,
            f"{span.start_s:.1f} to {span.end_s:.1f} s{'' if span.keep else ', all of it'}",
            is_query=span is passage.first,
        )
        for span in passage.spans
        for time_s in _moments(span.start_s, span.end_s)
    ]
    note = f"cosine {passage.score:.3f}, speed {passage.speed:.3f}{', mirrored' if passage.mirrored else ''}"
    return Section(f"{number}: a passage of {passage.first.end_s - passage.first.start_s:.1f} s", tiles, note)


def _moments(start_s: float, end_s: float) -> list[float]:
    """Three moments inside of a passage."""
    return [start_s + part * (end_s - start_s) for part in (0.1, 0.5, 0.9)]
