"""The files that a run set aside for a split when it was trained, whatever its data hold now."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from visfeat.errors import UsageError
from visfeat.media.item import path_of
from visfeat.train.data.examples import Example, Split, listed
from visfeat.train.data.idx import idx_pairs, is_idx_folder, number_of_pictures, picture_place
from visfeat.train.data.splits import REJECTED_FILE, SPLITS_FILE

_REMEDY = "it says what the run was not trained on; name labeled data to evaluate it on"


@dataclass(frozen=True)
class KnownSplit:
    """A split of a finished run as ``splits.csv`` has it."""

    examples: tuple[Example, ...]
    """The files that are still there, with the labels that they had then."""
    gone: tuple[str, ...] = ()
    """Those that are not."""
    added: int = 0
    """How many files the data have now of which the run knew nothing: they are no part of any of its splits."""

    def spread(self, most: int) -> KnownSplit:
        """No more than ``most`` files, taken evenly from all of the split."""
        step = max(1, -(-len(self.examples) // most))
        return KnownSplit(self.examples[::step], self.gone, self.added)


def known_split(folder: Path, split: Split, sources: Sequence[str]) -> KnownSplit:
    """The split of the run in ``folder``, whose data are ``sources``; nothing is decoded.

    Raises UsageError where the run's own record cannot be read.
    """
    rows = _rows(folder / SPLITS_FILE, ("uri", "label", "split"))
    known = {row["uri"] for row in rows}
    if (folder / REJECTED_FILE).is_file():
        known |= {row["uri"] for row in _rows(folder / REJECTED_FILE, ("uri",))}
    chosen = [
        Example(row["uri"], row["label"], split, row.get("group") or None) for row in rows if row["split"] == split
    ]
    is_there = _Presence()
    there = [example for example in chosen if is_there(example.uri)]
    gone = tuple(example.uri for example in chosen if not is_there(example.uri))
    return KnownSplit(tuple(there), gone, sum(_added(Path(source).expanduser(), known) for source in sources))


class _Presence:
    """Whether a file is there, and in an IDX file the picture of that number."""

    def __init__(self) -> None:
        self._pictures: dict[Path, int] = {}

    def __call__(self, uri: str) -> bool:
        place = picture_place(uri)
        if place is None:
            return os.path.exists(path_of(uri))
        path, number = place
        if path not in self._pictures:
            self._pictures[path] = number_of_pictures(path)
        return number < self._pictures[path]


def _added(source: Path, known: set[str]) -> int:
    """How many files of the data the run did not know; of data that cannot be read any more nobody can tell."""
    with suppress(UsageError):
        if not is_idx_folder(source):
            return len(listed(source) - known)
        places = (picture_place(uri) for uri in known)
        before = sum(place is not None and place[0].parent == source.absolute() for place in places)
        return max(0, sum(number_of_pictures(images) for _, images, _ in idx_pairs(source)) - before)
    return 0


def _rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read ({error}); {_REMEDY}") from None
    if any(row.get(column) is None for row in rows for column in columns):
        raise UsageError(f"{path}: has not the columns {', '.join(columns)}; {_REMEDY}")
    return rows
