"""What people write down about their files: a table with the columns uri and label, or the names of folders."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from visfeat.errors import UsageError
from visfeat.media.item import path_of
from visfeat.media.table import TableRow, read_table, text_in
from visfeat.train.data.examples import SPLIT_WORDS, Split

FOLDERS = "folders"
"""The word for: an item's label is the name of the folder that it lies in."""
_OPTIONAL = ("split", "group", "start_s", "end_s")


@dataclass(frozen=True, slots=True)
class WrittenLabel:
    """One row of a table: the label of a file, or of the part ``[start_s, end_s)`` of a video.

    ``uri`` is as it was written. ``row`` counts from 1, without the heading. Both times are None for a whole file.
    Files of one ``group`` belong together (the same scene, patient, camera).
    """

    uri: str
    label: str
    row: int
    split: Split | None = None
    group: str | None = None
    start_s: float | None = None
    end_s: float | None = None


def table_labels(path: Path, column: str = "label") -> list[WrittenLabel]:
    """The labels of a CSV or Parquet table: uri, label, and perhaps split, group, start_s and end_s.

    A missing start_s is the beginning, a missing end_s the end. Raises UsageError for a table that cannot be read, a
    missing column, a row without uri or label, an unknown split, and times that are no interval.
    """
    rows = read_table(path, ("uri", column), _OPTIONAL)
    if not rows:
        raise UsageError(f"{path}: has no rows; a row says the uri and the label of a file")
    return [_written(path, number, row, column) for number, row in enumerate(rows, start=1)]


def folder_labels(uris: Iterable[str], base: Path | None = None) -> list[WrittenLabel]:
    """The label of each file is the name of its folder, or of the folder below ``base`` that it lies in.

    Where all these folders lie in ones called train, val and test, these are the splits. Files that do not lie below
    ``base``, or directly in it, have no label.
    """
    folders = [(uri, _folders(uri, base)) for uri in uris]
    known = [(uri, parts) for uri, parts in folders if parts]
    split_at = -2 if base is None else 0
    deep = bool(known) and all(len(parts) > 1 and parts[split_at].lower() in SPLIT_WORDS for _, parts in known)
    label_at = -1 if base is None else int(deep)
    return [
        WrittenLabel(uri, parts[label_at], number, SPLIT_WORDS[parts[split_at].lower()] if deep else None)
        for number, (uri, parts) in enumerate(known, start=1)
    ]


def _folders(uri: str, base: Path | None) -> tuple[str, ...]:
    """The names of the folders that a file lies in, below ``base`` where that is given."""
    folder = Path(path_of(uri)).parent
    if base is None:
        return folder.parts[1:]
    absolute = Path(os.path.abspath(base))
    return folder.relative_to(absolute).parts if folder.is_relative_to(absolute) else ()


def _written(path: Path, number: int, row: TableRow, column: str) -> WrittenLabel:
    uri, label, split = text_in(row, "uri"), text_in(row, column), text_in(row, "split").lower()
    if not uri or not label:
        raise UsageError(f"{path}: row {number} has no {column if uri else 'uri'}")
    if split and split not in SPLIT_WORDS:
        raise UsageError(f"{path}: row {number}: the split {split!r} is none of train, val and test")
    start_s, end_s = (_seconds(path, number, row, name) for name in ("start_s", "end_s"))
    if start_s is not None or end_s is not None:
        start_s, end_s = start_s or 0.0, math.inf if end_s is None else end_s
        if not 0 <= start_s < end_s:
            raise UsageError(f"{path}: row {number}: from {start_s:g} to {end_s:g} s is no part of a video")
    return WrittenLabel(
        uri=uri,
        label=label,
        row=number,
        split=SPLIT_WORDS.get(split),
        group=text_in(row, "group") or None,
        start_s=start_s,
        end_s=end_s,
    )


def _seconds(path: Path, number: int, row: TableRow, column: str) -> float | None:
    """A number of seconds, None where nothing is said (an empty cell, or a NaN as data frames write it)."""
    said = text_in(row, column)
    try:
        value = float(said) if said else math.nan
    except ValueError:
        raise UsageError(f"{path}: row {number}: {column} is {said!r}, not a number of seconds") from None
    return None if math.isnan(value) else value
