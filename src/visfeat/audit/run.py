"""Auditing a store: its files, their pixels, their neighbors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import get_args

from visfeat.audit.finding import Finding, What
from visfeat.audit.looking import Item, looked_at
from visfeat.audit.neighbors import FEWEST_ITEMS, contradicted, item_vectors, leaks, outliers
from visfeat.audit.pixels import Measures
from visfeat.dedupe.thresholds import automatic, calibrated, usual_neighbor
from visfeat.errors import UsageError
from visfeat.media.item import Kind
from visfeat.store.feature_store import FeatureStore
from visfeat.store.reading import SpaceReader
from visfeat.store.unit_rows import all_unit_rows, check_not_empty


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is a finding."""

    blur: float = 0.6
    """Of 1, at least."""
    brightness: float = 0.1
    """Of 1, at most."""
    white: float = 0.5
    """Share of pure white pixels, at least."""
    information: float = 2.0
    """Bits of 6, at most."""
    aspect: float = 3.0
    """Long over short side, at least."""
    outlier: float = 4.0
    """Deviations above the usual distance to neighbors."""
    leak: float | None = None
    """Cosine; None for that of ``visfeat dedupe`` for the same network."""
    label: float = 0.7
    """Share of neighbors that have one and the same other label, at least."""


@dataclass(frozen=True)
class Audit:
    """What was found; ``looked_at`` counts the contents whose pixels were measured, ``notes`` say what was left out."""

    findings: tuple[Finding, ...]
    items: int
    looked_at: int
    notes: tuple[str, ...] = field(default=())

    def of(self, what: What) -> list[Finding]:
        """The findings of one kind, the worst first."""
        return [one for one in self.findings if one.what == what]


def audit(
    store: FeatureStore,
    *,
    labels: Mapping[str, str] | None = None,
    splits: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    layer: str | None = None,
    recipe: str | None = None,
) -> Audit:
    """Audit the items of a store: read each content once, small, and compare the rows of one space.

    ``labels``: URI -> label, for labels that neighbors contradict; ``splits``: URI -> split, for near-duplicates
    between splits. The vectors of the space are held in memory. Raises UsageError for a store without rows, and
    where ``layer`` and ``recipe`` leave a choice.
    """
    limits = limits or Limits()
    reader = store.reader(layer=layer, recipe=recipe)
    check_not_empty(reader)
    items: list[Item] = store.items().to_pylist()
    contents = list({item["content_hash"]: item for item in reversed(items) if _is_media(item)}.values())[::-1]
    found = [*_unreadable(store)]
    told = {one.uri for one in found}
    for item, seen in looked_at(contents):
        found += _of_item(item, seen, limits, told)
    neighbors, notes = _of_neighbors(reader, labels, splits, limits)
    return Audit(tuple(_worst_first([*found, *neighbors])), len(items), len(contents), tuple(notes))


def _is_media(item: Item) -> bool:
    return item["content_hash"] is not None and item["kind"] in (Kind.IMAGE, Kind.VIDEO)


def _unreadable(store: FeatureStore) -> Iterator[Finding]:
    """Once a file, though it may have failed under several recipes."""
    reasons = {one["uri"]: one["reason"] for one in store.failures()}
    for uri, reason in sorted(reasons.items(), key=lambda one: str(one[0])):
        if uri is not None:
            yield Finding("unreadable", uri, None, None, reason or "")


def _of_item(item: Item, seen: Measures | str, limits: Limits, told: set[str]) -> Iterator[Finding]:
    uri = item["uri"]
    if isinstance(seen, str):
        if uri not in told:
            yield Finding("unreadable", uri, None, None, seen)
        return
    if seen.blur >= limits.blur:
        yield Finding("blurred", uri, seen.blur, limits.blur)
    if seen.brightness <= limits.brightness:
        yield Finding("dark", uri, seen.brightness, limits.brightness)
    if seen.white >= limits.white:
        yield Finding("overexposed", uri, seen.white, limits.white)
    if seen.information <= limits.information:
        yield Finding("low_information", uri, seen.information, limits.information)
    if seen.aspect >= limits.aspect:
        yield Finding("odd_aspect", uri, seen.aspect, limits.aspect)


def _of_neighbors(
    reader: SpaceReader, labels: Mapping[str, str] | None, splits: Mapping[str, str] | None, limits: Limits
) -> tuple[list[Finding], list[str]]:
    rows, notes = all_unit_rows(reader), []
    vectors = item_vectors(reader, rows)
    found = list(outliers(vectors, limits.outlier))
    if len(vectors.values) < FEWEST_ITEMS:
        notes.append(f"outliers: {len(vectors.values)} different items are too few to say what is usual")
    if labels is not None:
        found += contradicted(vectors, labels, limits.label)
    if splits is not None:
        if len({splits[uri] for uri in reader.join.uris if uri in splits}) < 2:
            raise UsageError("--split: all items are of one split; leaks are looked for between two or more")
        threshold = limits.leak
        if threshold is None:
            known = calibrated(reader.space)
            threshold = known.picture if known is not None else automatic(usual_neighbor(vectors.values))
        found += leaks(reader, rows, splits, threshold)
    return found, notes


def _worst_first(found: Iterable[Finding]) -> list[Finding]:
    """By kind, then by how far beyond the threshold, then by name."""
    order = get_args(What)

    def key(one: Finding) -> tuple[int, float, str]:
        score = 0.0 if one.score is None else one.score
        less_is_worse = one.what in ("dark", "low_information")
        return order.index(one.what), score if less_is_worse else -score, one.uri

    return sorted(found, key=key)
