"""Which files to look at or label first: those that are as unlike each other as can be.

Farthest-point traversal: after a first item always the one that is farthest from all that were taken. Gonzalez (1985)
showed that with n of them every row lies at most twice as far from the nearest as with the best n (k-center); Sener
and Savarese (2018) choose by it what to label.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError
from visfeat.store.feature_store import FeatureStore
from visfeat.store.reading import SpaceReader
from visfeat.store.unit_rows import check_not_empty, drawn, unit_rows

Rows = NDArray[np.float32]

MOST_BYTES = 2 * 2**30
"""Of the vectors that are chosen among; of more rows a sample is."""


@dataclass(frozen=True, slots=True)
class Picked:
    """One item to look at, and its row by which it was chosen: an image or a moment of a video.

    distance: 0 to 2, between vectors of unit length, to the nearest one before it (of the first one to the mean, or to
    the nearest one that was known).
    """

    uri: str
    start_s: float | None
    end_s: float | None
    distance: float


@dataclass(frozen=True)
class Picks:
    """What was picked, the most different first.

    covered: how far the row that is farthest from all picks is from the nearest; ``among`` of ``rows`` rows were
    chosen from.
    """

    picks: tuple[Picked, ...]
    covered: float
    among: int
    rows: int


def pick_diverse(
    store: FeatureStore,
    count: int,
    *,
    known: Collection[str] = (),
    seed: int = 0,
    layer: str | None = None,
    recipe: str | None = None,
) -> Picks:
    """``count`` items that cover a space, each once, in the order in which each is farthest from those before it.

    ``known``: URIs of items that need not be picked, such as labeled ones; what is near them comes late. Without them
    the first item is the one with the row nearest to the mean. ``layer`` and ``recipe`` choose among several features,
    as in ``FeatureStore.features``. Time grows with rows times picks; of more rows than fit 2 GB a sample is chosen
    from, drawn by ``seed``. Raises UsageError where there are fewer items than asked for.
    """
    space = _space(store, count, known, seed, layer, recipe)
    order, distance, covered = farthest_first(space.values, space.item, count, known=space.given)
    picks = _described(space.reader, space.sample[order], distance)
    return Picks(picks, covered, len(space.sample), len(space.reader))


def pick_at_random(
    store: FeatureStore,
    count: int,
    *,
    known: Collection[str] = (),
    seed: int = 0,
    layer: str | None = None,
    recipe: str | None = None,
) -> Picks:
    """``count`` items drawn with equal chances by the seed, each by one of its rows; else as ``pick_diverse``."""
    space = _space(store, count, known, seed, layer, recipe)
    rng = np.random.default_rng(seed)
    free = rng.permutation(np.flatnonzero(~space.given))
    first = np.sort(np.unique(space.item[free], return_index=True)[1])  # of each item the row that comes first
    order = free[rng.permutation(first)[:count]]
    lengths = np.einsum("nd,nd->n", space.values, space.values)
    squared = np.full(len(space.values), np.inf, np.float32)
    for row in np.flatnonzero(space.given):
        np.minimum(squared, _squared_to(space.values, lengths, space.values[row]), out=squared)
    gaps = []
    for row in order:
        gaps.append(squared[row])
        np.minimum(squared, _squared_to(space.values, lengths, space.values[row]), out=squared)
    if np.isinf(gaps[0]):
        mean = space.values.mean(axis=0, dtype=np.float64).astype(np.float32)
        gaps[0] = _squared_to(space.values[order[:1]], lengths[order[:1]], mean)[0]
    picks = _described(space.reader, space.sample[order], np.sqrt(np.array(gaps, np.float32)))
    return Picks(picks, float(np.sqrt(squared.max())), len(space.sample), len(space.reader))


@dataclass(frozen=True)
class _Space:
    """What is chosen from: values float32 ``(n, D)`` of the rows ``sample``, the item of each, and what is known."""

    reader: SpaceReader
    sample: NDArray[np.int64]
    values: Rows
    item: NDArray[np.int64]
    given: NDArray[np.bool_]


def _space(
    store: FeatureStore, count: int, known: Collection[str], seed: int, layer: str | None, recipe: str | None
) -> _Space:
    reader = store.reader(layer=layer, recipe=recipe)
    check_not_empty(reader)
    width = int(np.prod(reader.space.layer.shape))
    sample = drawn(len(reader), max(count, MOST_BYTES // (4 * width)), seed)
    item = reader.join.item[sample].astype(np.int64)
    given = np.array([uri in known for uri in reader.join.uris], bool)[item]
    _check_count(count, len(np.unique(item[~given])), "items that are not labeled" if known else "items of the store")
    return _Space(reader, sample, unit_rows(reader, sample), item, given)


def farthest_first(
    values: Rows, item: NDArray[np.int64], count: int, *, known: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32], float]:
    """``count`` of the rows float32 ``(N, D)``, of each ``item`` int64 ``(N,)`` at most one, farthest first.

    ``known`` bool ``(N,)``: rows that count as taken from the start. Returns indices int64 and distances float32, both
    ``(count,)``, and the largest distance that is left. There must be as many items. Of equal ones the first.
    """
    lengths = np.einsum("nd,nd->n", values, values)
    free = np.ones(len(values), bool)
    squared = np.full(len(values), np.inf, np.float32)
    if known is not None and known.any():
        free &= ~np.isin(item, np.unique(item[known]))
        for row in np.flatnonzero(known):
            np.minimum(squared, _squared_to(values, lengths, values[row]), out=squared)
        index = int(np.where(free, squared, -np.inf).argmax())
        first = float(squared[index])
    else:
        to_mean = _squared_to(values, lengths, values.mean(axis=0, dtype=np.float64).astype(np.float32))
        index, first = int(to_mean.argmin()), float(to_mean.min())
    order, gaps = [], []
    for _ in range(count):
        order.append(index)
        gaps.append(first if len(order) == 1 else float(squared[index]))
        free &= item != item[index]
        np.minimum(squared, _squared_to(values, lengths, values[index]), out=squared)
        squared[index] = 0  # exactly, whatever was rounded
        if free.any():
            index = int(np.where(free, squared, -np.inf).argmax())
    left = float(squared.max())
    return np.array(order, np.int64), np.sqrt(np.array(gaps, np.float32)), float(np.sqrt(max(left, 0.0)))


def _squared_to(values: Rows, lengths: Rows, point: Rows) -> Rows:
    """The squared distance of each row to a point ``(D,)``: float32 ``(N,)``, never below 0."""
    squared: Rows = lengths + np.float32(point @ point) - 2 * (values @ point)
    return np.maximum(squared, 0)


def _check_count(count: int, items: int, what: str) -> None:
    if not 1 <= count <= items:
        raise UsageError(f"-n {count}: must be between 1 and {items}, the {what}")


def _described(reader: SpaceReader, indices: NDArray[np.int64], distance: Rows) -> tuple[Picked, ...]:
    rows = reader.metadata_at(indices).to_pylist()
    return tuple(
        Picked(row["uri"], row["start_s"], row["end_s"], float(gap)) for row, gap in zip(rows, distance, strict=True)
    )
