"""What a comparison found: an entry for each recipe and layer, the best first; as plain data and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from visfeat.compare.measure import metric_names
from visfeat.errors import UsageError, nearest_names
from visfeat.store.selection import Space
from visfeat.train.metrics import Interval

HAND_MADE = "classic/"
"""The source of models that learn nothing from labels or pictures of others."""


@dataclass(frozen=True)
class Entry:
    """One layer of one recipe.

    ``name`` is for people and unique on its board. ``dimension``: values a vector; ``row_bytes``: what it takes in the
    store; ``rows_per_s``: how fast runs of this recipe alone extracted rows, files read and decoded, None where no such
    run is known. ``cka``, ``cka_debiased`` and ``rsa``: name of another entry -> how alike both see the items.
    """

    name: str
    recipe: str
    model: str
    layer: str
    dimension: int
    row_bytes: int
    rows_per_s: float | None
    metrics: Mapping[str, Interval]
    cka: Mapping[str, float] = field(default_factory=dict)
    cka_debiased: Mapping[str, float] = field(default_factory=dict)
    rsa: Mapping[str, float] = field(default_factory=dict)

    @property
    def hand_made(self) -> bool:
        """Whether its features are computed and not learned by a network."""
        return self.model.startswith(HAND_MADE)

    def to_json(self) -> dict[str, Any]:
        """Plain data; a number that is not there is None."""
        return {name: _plain(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Leaderboard:
    """The entries, the best first by ``sort``, and what they were measured on."""

    entries: tuple[Entry, ...]
    sort: str
    classes: tuple[str, ...]
    train_items: int
    test_items: int
    notes: tuple[str, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the numbers that every entry has."""
        return metric_names(len(self.classes))

    @property
    def summary(self) -> str:
        """One line on what was measured."""
        return (
            f"{len(self.entries)} recipes, {len(self.classes)} classes; {self.train_items:,} items train, "
            f"{self.test_items:,} test"
        )

    def to_json(self) -> list[dict[str, Any]]:
        """The entries as plain data."""
        return [entry.to_json() for entry in self.entries]

    def to_csv(self) -> str:
        """A line an entry; a metric has three columns, NAME, NAME_low and NAME_high."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        facts = ("name", "recipe", "model", "layer", "dimension", "row_bytes", "rows_per_s")
        bounds = [column for name in self.metrics for column in (name, f"{name}_low", f"{name}_high")]
        writer.writerow((*facts, *bounds))
        for entry in self.entries:
            numbers = [
                number for name in self.metrics for one in (entry.metrics[name],)
                for number in (one.value, one.low, one.high)
            ]  # fmt: skip
            writer.writerow([_plain(value) for value in (*(getattr(entry, name) for name in facts), *numbers)])
        return text.getvalue()


def check_sort(sort: str, classes: int) -> None:
    """Raise UsageError for a metric that is not there for so many classes."""
    known = metric_names(classes)
    if sort not in known:
        there = f"of {classes} classes there are {', '.join(known)}"
        raise UsageError(f"--sort {sort}: {there}{nearest_names(sort, known)}")


def sorted_entries(entries: Sequence[Entry], sort: str) -> tuple[Entry, ...]:
    """The best first, of equal ones in their order."""
    return tuple(sorted(entries, key=lambda entry: _or_least(entry.metrics[sort].value), reverse=True))


def entry_names(spaces: Sequence[Space]) -> list[str]:
    """A name for each space, as short as it can be: the recipe's title, its layer and digest where others share it."""
    titles = [space.stored.title for space in spaces]
    with_layer = [f"{title} {space.layer.layer}" for title, space in zip(titles, spaces, strict=True)]
    several = [titles.count(title) > 1 for title in titles]
    names = [layered if more else title for title, layered, more in zip(titles, with_layer, several, strict=True)]
    return [
        f"{name} {space.stored.digest[:8]}" if names.count(name) > 1 else name
        for name, space in zip(names, spaces, strict=True)
    ]


def _or_least(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def _plain(value: Any) -> Any:
    """JSON and CSV have no NaN."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
