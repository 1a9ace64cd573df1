"""From labels as they were written to the items of a store, and what to say where nothing fits."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from visfeat.errors import UsageError, nearest_names
from visfeat.labels.reading import FOLDERS, WrittenLabel, folder_labels, table_labels
from visfeat.media.item import path_of, uri_of
from visfeat.media.table import uri_beside
from visfeat.store.records import Status
from visfeat.train.data.examples import Split

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore

HOW = ("URI", "path beside the table", "end of the path", "file name")
"""The ways of matching, in their order: the first that leaves exactly one item counts."""
_SHOWN = 3
_MOST_NAMES = 20_000
"""Of more items than that, near misses would take seconds to find."""


@dataclass(frozen=True, slots=True)
class ItemLabel:
    """The label of an item of a store, or of its part ``[start_s, end_s)``; both times are None for the whole item."""

    uri: str
    label: str
    split: Split | None = None
    group: str | None = None
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A row of a table that means no item of the store, or may mean several, and a word on why."""

    uri: str
    row: int
    why: str


@dataclass(frozen=True)
class Labels:
    """The labels of a store's items, sorted by URI and time.

    ``source`` is what they were read from; ``matched`` counts, for each of ``HOW``, the rows that matched so.
    """

    source: str
    entries: tuple[ItemLabel, ...]
    matched: Mapping[str, int] = field(default_factory=dict)
    unmatched: tuple[Unmatched, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The different labels, sorted."""
        return tuple(sorted({one.label for one in self.entries}))

    @property
    def splits(self) -> dict[Split, int]:
        """Split -> how many labels; empty where the table says no splits."""
        return dict(Counter(one.split for one in self.entries if one.split is not None))

    @property
    def by_uri(self) -> dict[str, str]:
        """URI -> label, of the items that have one label for all of them."""
        return {one.uri: one.label for one in self.entries if one.start_s is None}

    def of_split(self, split: Split | None) -> Labels:
        """The labels of one split, or all of them; raises UsageError where there is none of that split."""
        if split is None:
            return self
        chosen = tuple(one for one in self.entries if one.split == split)
        if not chosen:
            there = ", ".join(self.splits) or "none: it has no column split"
            raise UsageError(f"{self.source}: no label is of the split {split} (splits: {there})")
        return Labels(self.source, chosen, self.matched, self.unmatched)

    def complaint(self) -> str | None:
        """One line on the rows that matched nothing, for people; None where all did."""
        if not self.unmatched:
            return None
        rows = len(self.unmatched) + sum(self.matched.values())
        shown = "; ".join(f"row {one.row}, {one.uri!r}: {one.why}" for one in self.unmatched[:_SHOWN])
        return f"{self.source}: {len(self.unmatched)} of {rows} labels match no item of the store: {shown}"


def read_labels(source: str | os.PathLike[str], store: FeatureStore, *, column: str = "label") -> Labels:
    """The labels of a store's items.

    source: a CSV or Parquet table with the columns uri and ``column``, and perhaps split (train, val, test), group,
    start_s and end_s; or the word ``folders``: each item's label is the name of its folder; or a folder: the label is
    the name of the folder below it. A table's ``uri`` is an item's URI, a path relative to the table, the end of one
    item's path (``cats/1.jpg``), or the name of one item's file (``1.jpg``).

    Raises UsageError where no label matches an item, naming near misses, and where two labels contradict.
    """
    known = store.known_items()
    uris = [uri for uri, item in known.items() if item.status is not Status.IGNORED]
    if not uris:
        raise UsageError(f"{store.path}: the store holds no items yet; visfeat extract FOLDER --store STORE adds some")
    path = Path(source)
    if os.fspath(source) == FOLDERS or path.is_dir():
        base = None if os.fspath(source) == FOLDERS else path
        entries = [_item_label(one.uri, one) for one in folder_labels(uris, base)]
        if not entries:
            raise UsageError(f"--labels {source}: no item lies in a folder below it; the first is {min(uris)}")
        return Labels(os.fspath(source), _checked(os.fspath(source), entries), {"folder": len(entries)})
    written = table_labels(path, column)
    found = _match(written, uris, path)
    if not found.entries:
        raise UsageError(_nothing_matched(found, path, store.path, min(uris)))
    return found


def _match(written: Sequence[WrittenLabel], uris: Sequence[str], table: Path) -> Labels:
    index = _ItemIndex(uris)
    names = Counter(PurePath(one.uri).name for one in {row.uri: row for row in written}.values())
    entries: list[ItemLabel] = []
    matched: Counter[str] = Counter()
    unmatched: list[Unmatched] = []
    for row in written:
        uri, how = index.find(row.uri, table, own_name=names[PurePath(row.uri).name] == 1)
        if uri is None:
            # Near misses only of those that are shown.
            why = index.why_not(row.uri, close=len(unmatched) < _SHOWN)
            unmatched.append(Unmatched(row.uri, row.row, why))
        else:
            matched[how] += 1
            entries.append(_item_label(uri, row))
    return Labels(str(table), _checked(str(table), entries), dict(matched), tuple(unmatched))


def _item_label(uri: str, row: WrittenLabel) -> ItemLabel:
    return ItemLabel(uri, row.label, row.split, row.group, row.start_s, row.end_s)


class _ItemIndex:
    """The items of a store by URI and by file name."""

    def __init__(self, uris: Iterable[str]) -> None:
        self.uris = set(uris)
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for uri in sorted(self.uris):
            self._by_name[PurePath(path_of(uri)).name].append(uri)

    def find(self, uri: str, table: Path, *, own_name: bool) -> tuple[str | None, str]:
        """The item that a text means, and how; ``own_name``: no other row of the table ends in that file name."""
        for candidate, how in ((uri, HOW[0]), (uri_beside(table, uri), HOW[1])):
            if candidate in self.uris:
                return candidate, how
        alike = self._ending_in(uri)
        if len(alike) == 1:
            return alike[0], HOW[2]
        named = self._by_name.get(PurePath(uri).name, [])
        if len(named) == 1 and own_name:
            return named[0], HOW[3]
        return None, ""

    def _ending_in(self, uri: str) -> list[str]:
        parts = PurePath(uri).parts
        named = self._by_name.get(PurePath(uri).name, [])
        return [one for one in named if PurePath(path_of(one)).parts[-len(parts) :] == parts]

    def why_not(self, uri: str, *, close: bool) -> str:
        """Why a text means no item; with the nearest file names where ``close``."""
        named = self._by_name.get(PurePath(uri).name, [])
        if len(named) > 1:
            return f"{len(named)} items are called so, among them {named[0]}"
        if named:
            return f"{named[0]} is called so, but so are several rows of the table"
        hint = ""
        if close and len(self._by_name) <= _MOST_NAMES:
            hint = nearest_names(PurePath(uri).name, self._by_name, most=_SHOWN)
        return f"no item is called so{hint}"


def _checked(source: str, entries: Sequence[ItemLabel]) -> tuple[ItemLabel, ...]:
    """Sorted by URI and time, what is said twice once; raises UsageError where two labels contradict."""
    ordered = sorted(set(entries), key=lambda one: (one.uri, one.start_s or 0.0, one.end_s or 0.0, one.label))
    for _, group in groupby(ordered, key=lambda one: one.uri):
        own = list(group)
        for before, after in pairwise(own):
            whole = before.start_s is None or after.start_s is None
            if whole or (before.end_s or 0.0) > (after.start_s or 0.0):
                raise UsageError(
                    f"{source}: {after.uri} has several labels{'' if whole else ' at one time'}, {before.label!r} and "
                    f"{after.label!r}; one label a file, or one a part from start_s to end_s"
                )
    return tuple(ordered)


def _nothing_matched(found: Labels, table: Path, store: Path, example: str) -> str:
    """How was matched, and what came near."""
    shown = "".join(f"\n  row {one.row}, {one.uri!r}: {one.why}" for one in found.unmatched[:_SHOWN])
    beside = os.path.dirname(path_of(uri_of(table)))
    return (
        f"{table}: none of its {len(found.unmatched)} labels matches an item of {store}; each was looked for as a "
        f"URI, as a path relative to {beside}, as the end of one item's path, and as one item's file name:{shown}\n"
        f"  an item of the store: {example}"
    )
