"""Labels laid on the rows of a space: which rows have which class, and which of them belong together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError
from visfeat.frames import NO_TIME
from visfeat.labels.matching import ItemLabel, Labels
from visfeat.store.reading import SpaceReader

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class LabeledRows:
    """The n rows of a space that have a label, in the order of the space.

    indices int64 ``(n,)``: rows of the reader; codes int64 ``(n,)``: index into ``classes``; entries int64 ``(n,)``:
    which label a row has it from, an index into ``labels.entries``; items int64 ``(n,)``: index into the reader's
    items; groups int64 ``(n,)``: rows of one group must never part, neither into folds nor in a bootstrap. Rows of one
    content are one group, copies included, and so are the files of one ``group`` of the table.
    """

    labels: Labels
    classes: tuple[str, ...]
    indices: Ints
    codes: Ints
    entries: Ints
    items: Ints
    groups: Ints
    without_rows: int
    """How many of the labels have no row in this space (a file that failed, a part between two rows)."""

    def __len__(self) -> int:
        return len(self.indices)

    def subset(self, kept: NDArray[np.bool_]) -> LabeledRows:
        """The rows where ``kept (n,)`` is True."""
        names = ("indices", "codes", "entries", "items", "groups")
        return replace(self, **{name: getattr(self, name)[kept] for name in names})

    def renamed(self, classes: tuple[str, ...]) -> LabeledRows:
        """The same rows with their codes in another list of classes, which has all that occur."""
        code_of = {name: code for code, name in enumerate(classes)}
        codes = np.array([code_of.get(name, -1) for name in self.classes], np.int64)[self.codes]
        return replace(self, classes=classes, codes=codes)

    @property
    def weights(self) -> NDArray[np.float64]:
        """float64 ``(n,)`` of mean 1: each label counts the same, however many rows a video has."""
        _, entry, counts = np.unique(self.entries, return_inverse=True, return_counts=True)
        weights = 1.0 / counts[entry]
        return np.asarray(weights / weights.mean())

    @property
    def groups_of_class(self) -> Ints:
        """int64 ``(K,)``: how many groups each class has."""
        pairs = np.unique(np.stack([self.codes, self.groups]), axis=1)
        return np.bincount(pairs[0], minlength=len(self.classes))


def label_rows(reader: SpaceReader, labels: Labels, *, classes: tuple[str, ...] | None = None) -> LabeledRows:
    """The rows of a space that have a label.

    A row of a video belongs to the part of it that holds the middle of the row's time. ``classes``: their order, where
    it is not that of the labels. Raises UsageError where no row has a label, where an image is labeled in part, and
    for a label that ``classes`` does not have.
    """
    names = labels.classes if classes is None else classes
    code_of = {name: code for code, name in enumerate(names)}
    unknown = sorted(set(labels.classes) - set(names))
    if unknown:
        raise UsageError(f"{labels.source}: the label {unknown[0]!r} is none of {', '.join(names[:20])}")
    found = list(_found(reader, labels))
    indices = np.concatenate([np.empty(0, np.int64), *(rows for _, rows in found)])
    if not len(indices):
        raise UsageError(f"{labels.source}: of {len(labels.entries)} labeled items none has rows in {reader.space}")
    entries = np.repeat([number for number, _ in found], [len(rows) for _, rows in found]).astype(np.int64)
    order = np.argsort(indices, kind="stable")
    indices, entries = indices[order], entries[order]
    codes = np.array([code_of[one.label] for one in labels.entries], np.int64)[entries]
    return LabeledRows(
        labels=labels,
        classes=names,
        indices=indices,
        codes=codes,
        entries=entries,
        items=reader.join.item[indices].astype(np.int64),
        groups=_groups(reader, labels, indices, entries),
        without_rows=sum(not len(rows) for _, rows in found) + len(labels.entries) - len(found),
    )


def _found(reader: SpaceReader, labels: Labels) -> Iterator[tuple[int, Ints]]:
    """The number of each label whose item is in the space, and its rows."""
    numbers = {uri: number for number, uri in enumerate(reader.join.uris)}
    first = np.searchsorted(reader.join.item, np.arange(len(reader.join.uris) + 1))
    middles_s = _middles_s(reader) if any(one.start_s is not None for one in labels.entries) else None
    for number, one in enumerate(labels.entries):
        item = numbers.get(one.uri)
        if item is None:
            continue
        rows = np.arange(first[item], first[item + 1])
        yield number, rows if one.start_s is None or middles_s is None else _within(rows, middles_s, one, labels.source)


def _within(rows: Ints, middles_s: NDArray[np.float64], one: ItemLabel, source: str) -> Ints:
    """The rows of an item whose middle lies in the labeled part."""
    times = middles_s[rows]
    if len(times) and np.isnan(times).all():
        raise UsageError(f"{source}: {one.uri} is an image, or one row for all of a video, and is labeled in part")
    assert one.start_s is not None
    assert one.end_s is not None
    return rows[(times >= one.start_s) & (times < one.end_s)]


def _middles_s(reader: SpaceReader) -> NDArray[np.float64]:
    table = reader.metadata()
    starts, ends = (table[name].fill_null(NO_TIME).to_numpy() for name in ("start_s", "end_s"))
    return np.asarray((starts + ends) / 2)


def _groups(reader: SpaceReader, labels: Labels, indices: Ints, entries: Ints) -> Ints:
    """A number for each row: of the group that the table says, else of the content."""
    first = np.searchsorted(reader.join.item, np.arange(len(reader.join.uris)))
    # The first stored row of an item names its content: copies share it.
    content = reader.join.offset[first[reader.join.item[indices]]]
    numbers: dict[tuple[str | None, int], int] = defaultdict(lambda: len(numbers))
    group = [labels.entries[entry].group for entry in entries.tolist()]
    return np.array(
        [numbers[(name, -1 if name else int(one))] for name, one in zip(group, content.tolist(), strict=True)], np.int64
    )
