"""Labeled files: what of a folder per class, or of a table of labels, is to be learned."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from visfeat.class_groups import HEAD_SEPARATOR
from visfeat.errors import UsageError
from visfeat.media.find import find_media
from visfeat.media.item import MediaItem, path_of
from visfeat.media.table import TableRow, read_table, text_in, uri_beside

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
"""What people call the splits."""
LABEL_SEPARATOR = "|"
"""Between the labels of a file that has several."""


@dataclass(frozen=True, slots=True)
class Example:
    """One labeled file. ``split`` where the data say it; files of one ``group`` stay in one split."""

    uri: str
    label: str
    split: Split | None = None
    group: str | None = None


def folder_examples(folder: Path) -> list[Example]:
    """A folder per class, or folders train, val and test with a folder per class each; in order of the names.

    Files that are no media are left out later, when they are looked at. Raises UsageError for an empty class.
    """
    parts = _class_folders(folder)
    if not parts:
        raise UsageError(f"{folder}: has no folders in it; a folder per class is expected, or a table of uri,label")
    examples: list[Example] = []
    for part, split in parts:
        found = [Example(uri, part.name, split) for uri in _media_in(part)]
        if not found:
            raise UsageError(f"{part}: the class {part.name} is empty; remove its folder or put files into it")
        examples += found
    return examples


def table_examples(path: Path, labels: Sequence[str] = ("label",)) -> list[Example]:
    """A CSV or Parquet table with columns uri, label and perhaps split and group; paths are relative to the table.

    Of several columns ``labels`` an example's label is ``color=red|shape=round``.

    Raises UsageError for a missing column, a row without a label, an unknown split, or a file that is not there.
    """
    rows = read_table(path, ("uri", *labels), ("split", "group"))
    examples = [_example(path, number, row, labels) for number, row in enumerate(rows, start=1)]
    missing = [(number, one) for number, one in enumerate(examples, start=1) if not os.path.exists(path_of(one.uri))]
    if missing:
        number, first = missing[0]
        raise UsageError(
            f"{path}: {len(missing)} of {len(examples)} labels are without a file; the first, row {number}: {first.uri}"
        )
    repeated = [uri for uri, times in Counter(one.uri for one in examples).items() if times > 1]
    if repeated:
        raise UsageError(f"{path}: {repeated[0]} has several rows; one row a file")
    return examples


def listed(path: Path) -> set[str]:
    """The URIs that a folder of classes or a table names now, whatever their labels; none where it is gone."""
    if path.is_dir():
        return {uri for part, _ in _class_folders(path) for uri in _media_in(part)}
    return {uri_beside(path, text_in(row, "uri")) for row in read_table(path, ("uri",))} if path.is_file() else set()


def labels_of(example: Example, *, multilabel: bool) -> tuple[str, ...]:
    """The example's labels: one, or all that stand between ``|``."""
    if not multilabel:
        return (example.label,)
    return tuple(part.strip() for part in example.label.split(LABEL_SEPARATOR) if part.strip())


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _class_folders(folder: Path) -> list[tuple[Path, Split | None]]:
    """The folders of the classes, each with its split where they lie in folders train, val and test."""
    parts = _folders(folder)
    if parts and all(part.name.lower() in SPLIT_WORDS for part in parts):
        return [(one, SPLIT_WORDS[part.name.lower()]) for part in parts for one in _folders(part)]
    return [(part, None) for part in parts]


def _media_in(folder: Path) -> list[str]:
    items: Iterable[MediaItem] = find_media([folder])
    return [item.uri for item in items]


def _label(path: Path, number: int, row: TableRow, columns: Sequence[str]) -> str:
    """The label, or of several columns what they say, joined; empty where none says anything."""
    said = {name: text_in(row, name) for name in columns}
    if len(columns) == 1:
        return said[columns[0]]
    for name, label in said.items():
        if LABEL_SEPARATOR in label:
            raise UsageError(
                f"{path}: row {number}: {name} is {label!r}; where there are several columns, one label each"
            )
    return LABEL_SEPARATOR.join(f"{name}{HEAD_SEPARATOR}{label}" for name, label in said.items() if label)


def _example(path: Path, number: int, row: TableRow, labels: Sequence[str]) -> Example:
    uri, label = text_in(row, "uri"), _label(path, number, row, labels)
    if not uri or not label:
        raise UsageError(f"{path}: row {number} has no {'uri' if not uri else ' or '.join(labels)}")
    said = text_in(row, "split").lower()
    if said and said not in SPLIT_WORDS:
        raise UsageError(f"{path}: row {number}: the split {said!r} is none of train, val and test")
    group = row.get("group")
    return Example(
        uri_beside(path, uri),
        label,
        SPLIT_WORDS.get(said),
        None if group in (None, "") else str(group),
    )
