"""Which samples train, which validate, which test: by content and seed, so that it is the same on every machine."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from visfeat.errors import UsageError
from visfeat.train.data.examples import Split

SPLITS_FILE, REJECTED_FILE = "splits.csv", "rejected.csv"


class Unit(NamedTuple):
    """What goes into one split as a whole: a file, or all the clips of a video."""

    key: str
    """Group, else the hash of the content: equal files never part."""
    label: str
    split: Split | None


def split_units(units: Sequence[Unit], *, val: float, test: float, seed: int) -> list[Split]:
    """A split for each unit.

    Where the data say splits themselves they hold; only a validation split that is missing is taken from the training
    units. Else each class gives the shares ``val`` and ``test``, at least one each of a class that can spare it. Which
    ones: those whose key, hashed with the seed, comes first. Raises UsageError where only some have a split.
    """
    said = [unit.split for unit in units]
    if any(said) and not all(said):
        raise UsageError("some of the data say their split and others do not: say all or none")
    splits: list[Split] = [split or "train" for split in said]
    if any(said):
        open_units = [n for n, split in enumerate(splits) if split == "train"] if "val" not in splits else []
        test = 0.0
    else:
        open_units = list(range(len(units)))
    chosen = _choose([units[n] for n in open_units], val, test, seed)
    for n in open_units:
        splits[n] = chosen[units[n].key]
    return splits


def _choose(units: Sequence[Unit], val: float, test: float, seed: int) -> dict[str, Split]:
    """Key -> split, class by class; a key with several classes counts for its most frequent one."""
    sizes: dict[str, Counter[str]] = defaultdict(Counter)
    for unit in units:
        sizes[unit.key][unit.label] += 1
    by_class: dict[str, list[str]] = defaultdict(list)
    for key, labels in sizes.items():
        by_class[labels.most_common(1)[0][0]].append(key)
    chosen: dict[str, Split] = {}
    for keys in by_class.values():
        keys.sort(key=lambda key: hashlib.blake2b(f"{seed} {key}".encode(), digest_size=8).digest())
        wanted: list[tuple[Split, float]] = [("test", test), ("val", val)]
        counts = {name: _count(share, len(keys)) for name, share in wanted}
        while sum(counts.values()) >= len(keys) and any(counts.values()):
            counts[max(counts, key=lambda name: counts[name])] -= 1
        names: list[Split] = [name for name, _ in wanted for _ in range(counts[name])]
        chosen |= {key: names[n] if n < len(names) else "train" for n, key in enumerate(keys)}
    return chosen


def _count(share: float, available: int) -> int:
    return max(1, round(share * available)) if share > 0 else 0


def save_splits(path: Path, rows: Sequence[tuple[str, str, str, str]]) -> None:
    """Write ``splits.csv``: uri, label, split, group."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("uri", "label", "split", "group"))
        writer.writerows(rows)


def save_rejected(path: Path, rows: Sequence[tuple[str, str, str]]) -> None:
    """Write ``rejected.csv``: uri, label, reason; no file where nothing was rejected."""
    path.unlink(missing_ok=True)
    if rows:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("uri", "label", "reason"), *rows])


def check_classes(train: Counter[str], others: Mapping[Split, Counter[str]]) -> None:
    """Raise UsageError where there is one class only, or a class that training never sees."""
    classes = set(train).union(*others.values())
    if len(classes) < 2:
        only = next(iter(classes), "none")
        raise UsageError(f"the data have one class only ({only}); a classifier needs two or more")
    for split, counts in others.items():
        unseen = sorted(set(counts) - set(train))
        if unseen:
            raise UsageError(
                f"classes of the {split} split that training never sees ({len(unseen)}): {', '.join(unseen[:5])}"
            )
