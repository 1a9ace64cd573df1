"""The task that every recipe is set: the same items, their classes, and which of them train and test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError
from visfeat.labels import ItemLabel
from visfeat.train.data.examples import Split
from visfeat.train.data.splits import Unit, split_units

Ints = NDArray[np.int64]
_SHOWN = 5


@dataclass(frozen=True)
class Task:
    """Items by number, in the order of their URIs; train and test are disjoint.

    targets: int64 ``(N,)``, indices into ``classes``; groups: int64 ``(N,)``, equal for items that belong together;
    train, test: int64 indices of items. ``notes`` says for people what was left out, and what cannot be right.
    """

    uris: tuple[str, ...]
    classes: tuple[str, ...]
    targets: Ints
    groups: Ints
    train: Ints
    test: Ints
    notes: tuple[str, ...] = ()


def make_task(
    labels: Sequence[ItemLabel],
    extracted: Sequence[set[str]],
    contents: Mapping[str, str],
    *,
    test: float = 0.25,
    seed: int = 0,
) -> Task:
    """The task of the labeled items that every recipe has features of; a content that is there twice counts once.

    ``extracted``: for each recipe the URIs that it has; ``contents``: URI -> content hash. Where the labels say splits
    these hold, and ``val`` neither trains nor tests. Else each class gives the share ``test``, chosen by group or
    content and ``seed``; a class of one item only trains. Raises UsageError where fewer than two classes are left, or
    nothing to train or test with.
    """
    if not 0 < test < 1:
        raise UsageError(f"--test {test:g}: must be a share between 0 and 1")
    items, notes = _items(labels, extracted, contents)
    classes = tuple(sorted({one.label for one in items}))
    if len(classes) < 2:
        raise UsageError(f"the labels have one class only ({classes[0]}); a comparison needs two or more")
    keys = [f"group {one.group}" if one.group else contents[one.uri] for one in items]
    units = [Unit(key, one.label, one.split) for key, one in zip(keys, items, strict=True)]
    splits = split_units(units, val=0.0, test=test, seed=seed)
    number = {name: n for n, name in enumerate(classes)}
    task = Task(
        uris=tuple(one.uri for one in items),
        classes=classes,
        targets=np.array([number[one.label] for one in items], np.int64),
        groups=np.unique(keys, return_inverse=True)[1].astype(np.int64),
        train=np.array([n for n, split in enumerate(splits) if split == "train"], np.int64),
        test=np.array([n for n, split in enumerate(splits) if split == "test"], np.int64),
        notes=(*notes, *_split_notes(items, splits)),
    )
    _check_split(task)
    return task


def _items(
    labels: Sequence[ItemLabel], extracted: Sequence[set[str]], contents: Mapping[str, str]
) -> tuple[list[ItemLabel], list[str]]:
    """The labeled items that can be compared, one a content, and what was left out."""
    there = set.intersection(*extracted)
    whole = sorted((one for one in labels if one.start_s is None), key=lambda one: one.uri)
    known = [one for one in whole if one.uri in there]
    by_content: dict[str, list[ItemLabel]] = {}
    for one in known:
        by_content.setdefault(contents[one.uri], []).append(one)
    # Of a content with two labels nobody knows which is true.
    clear = [same for same in by_content.values() if len({(one.label, one.split) for one in same}) == 1]
    left_out = {
        "labels of parts of videos: whole items are compared": len(labels) - len(whole),
        "labeled items without features of every recipe": len(whole) - len(known),
        "copies of other items": sum(len(same) - 1 for same in clear),
        "contents whose copies have other labels or splits": len(by_content) - len(clear),
    }
    if not clear:
        raise UsageError(
            f"none of the {len(labels)} labels is of an item with features of every recipe; choose fewer recipes with "
            "--recipes, or extract what is missing"
        )
    return [same[0] for same in clear], [f"left out: {number} {what}" for what, number in left_out.items() if number]


def _split_notes(items: Sequence[ItemLabel], splits: Sequence[Split]) -> list[str]:
    """What a reader of the scores has to know of the classes."""
    sizes = Counter(one.label for one in items)
    lonely = sorted(name for name, number in sizes.items() if number == 1)
    classes = {
        split: {one.label for one, own in zip(items, splits, strict=True) if own == split} for split in set(splits)
    }
    unseen = sorted(classes.get("test", set()) - classes.get("train", set()))
    notes = [f"left out: {splits.count('val')} items of the split val"] if "val" in splits else []
    if lonely:
        notes.append(f"{len(lonely)} classes have one item, which cannot both train and test: {_listed(lonely)}")
    if unseen:
        notes.append(f"{len(unseen)} classes are in the test split alone and cannot be right: {_listed(unseen)}")
    return notes


def _check_split(task: Task) -> None:
    if not len(task.test) or not len(task.train):
        raise UsageError(
            f"of {len(task.uris)} items {len(task.train)} train and {len(task.test)} test; at least one class needs "
            "two items, and a column split the words train and test"
        )
    if len(np.unique(task.targets[task.train])) < 2:
        raise UsageError("the training items have one class only; a comparison needs two or more")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
