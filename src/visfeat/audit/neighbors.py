"""What the neighbors of an item say: that it is far from all, that another split has it too, that its label is odd."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from visfeat.audit.finding import Finding
from visfeat.dedupe.pairs import Pairs, pairs_above
from visfeat.pool import unit_length
from visfeat.search.index import build_index
from visfeat.store.reading import SpaceReader

Rows = NDArray[np.float32]

OUTLIER_NEIGHBORS, LABEL_NEIGHBORS = 5, 10
FEWEST_ITEMS = 20
"""With fewer nobody can say how far items usually are from each other."""
_TO_DEVIATION = 1.4826
"""From the median absolute deviation to the standard deviation of a normal distribution."""


@dataclass(frozen=True)
class ItemVectors:
    """values: float32 ``(n, D)``, of each different content the mean of its rows, of unit length; and its first URI."""

    values: Rows
    uris: tuple[str, ...]
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """First URI -> those of the equal files, where there are any."""


def item_vectors(reader: SpaceReader, rows: Rows) -> ItemVectors:
    """One vector a content from the unit vectors of all rows ``(N, D)``; copies are one."""
    first = np.searchsorted(reader.join.item, np.arange(len(reader.join.uris)))
    count = np.bincount(reader.join.item, minlength=len(reader.join.uris))
    items = np.flatnonzero(count)
    # The first stored row of an item names its content.
    _, kept, content = np.unique(reader.join.offset[first[items]], return_index=True, return_inverse=True)
    others: dict[str, tuple[str, ...]] = {}
    for item, before in zip(items, items[kept[content]], strict=True):
        if item != before:
            named = reader.join.uris[before]
            others[named] = (*others.get(named, ()), reader.join.uris[item])
    items = items[np.sort(kept)]
    means = np.stack([rows[first[one] : first[one] + count[one]].mean(axis=0) for one in items])
    return ItemVectors(unit_length(means).astype(np.float32), tuple(reader.join.uris[one] for one in items), others)


def outliers(vectors: ItemVectors, deviations: float) -> Iterator[Finding]:
    """Items whose mean cosine distance to their five nearest others is unusually large.

    Usual is the median of its logarithm, unusual so many deviations more, as the median absolute deviation measures
    them: half of the items may be strange without moving the threshold much. Nothing of fewer than 20 items.
    """
    if len(vectors.values) < FEWEST_ITEMS:
        return
    _, cosine = _others(vectors.values, OUTLIER_NEIGHBORS)
    distance = np.maximum(1 - cosine.mean(axis=1, dtype=np.float64), 1e-6)
    logs = np.log(distance)
    middle = float(np.median(logs))
    spread = _TO_DEVIATION * float(np.median(np.abs(logs - middle)))
    threshold = float(np.exp(middle + deviations * spread))
    for index in np.flatnonzero(distance > threshold):
        score = float(distance[index])
        note = f"{score / np.exp(middle):.1f} times as far from its neighbors as usual"
        yield Finding("outlier", vectors.uris[index], score, threshold, note)


def contradicted(vectors: ItemVectors, labels: Mapping[str, str], share: float) -> Iterator[Finding]:
    """Items of whose ten nearest labeled others at least ``share`` have one and the same other label.

    Equal files are one item, with the label of the first that has one; those labeled otherwise are told too.
    """
    labeled = [[one for one in (uri, *vectors.others.get(uri, ())) if one in labels] for uri in vectors.uris]
    for first, *others in filter(None, labeled):
        for uri in others:
            if labels[uri] != labels[first]:
                yield Finding(
                    "label", uri, 1.0, share, f"labeled {labels[uri]!r}; its equal {first} is {labels[first]!r}"
                )
    known = np.array([index for index, own in enumerate(labeled) if own], np.int64)
    if len(known) <= LABEL_NEIGHBORS:
        return
    near, _ = _others(vectors.values[known], LABEL_NEIGHBORS)
    for index, neighbors in zip(known, known[near], strict=True):
        uri = labeled[index][0]
        votes = Counter(labels[labeled[one][0]] for one in neighbors)
        label, count = votes.most_common(1)[0]
        if label != labels[uri] and count / LABEL_NEIGHBORS >= share:
            own_votes = votes[labels[uri]]
            note = f"labeled {labels[uri]!r} as {own_votes} of its {LABEL_NEIGHBORS} neighbors; {count} are {label!r}"
            yield Finding("label", uri, count / LABEL_NEIGHBORS, share, note)


def leaks(reader: SpaceReader, rows: Rows, splits: Mapping[str, str], threshold: float) -> Iterator[Finding]:
    """Items with a row whose cosine with one of another split reaches the threshold; the best pair of each two splits.

    The finding is about the item of the smaller split.
    """
    split = np.array([splits.get(uri, "") for uri in reader.join.uris], object)[reader.join.item]
    names = [name for name, _ in Counter(split[split != ""].tolist()).most_common()]
    for large, small in combinations(names, 2):
        left, right = np.flatnonzero(split == small), np.flatnonzero(split == large)
        pairs = pairs_above(rows[left], threshold, others=rows[right])
        yield from _best(reader, pairs, left, right, (small, large, threshold))


def _best(
    reader: SpaceReader,
    pairs: Pairs,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    about: tuple[str, str, float],
) -> Iterator[Finding]:
    """Of each item on the left its pair of the largest cosine."""
    small, large, threshold = about
    item = reader.join.item[left[pairs.first]]
    order = np.lexsort((pairs.second, -pairs.cosine, item))
    order = order[np.unique(item[order], return_index=True)[1]]
    own, other = left[pairs.first[order]], right[pairs.second[order]]
    rows = zip(reader.metadata_at(own).to_pylist(), reader.metadata_at(other).to_pylist(), strict=True)
    for (row, twin), cosine in zip(rows, pairs.cosine[order].tolist(), strict=True):
        yield Finding(
            "leak",
            row["uri"],
            min(float(cosine), 1.0),
            threshold,
            f"in {small}, and in {large}",
            row["start_s"],
            twin["uri"],
            twin["start_s"],
        )


def _others(values: Rows, k: int) -> tuple[NDArray[np.int64], Rows]:
    """The k nearest other rows of each row: indices ``(n, k)`` and cosines; there must be more than k rows."""
    index, cosine = build_index(values).search(values, k + 1)
    own = index == np.arange(len(values))[:, None]
    # An index that looks only where neighbors are likely may find too few: these count as at right angles.
    missing = index < 0
    index, cosine = np.where(missing, (np.arange(len(values))[:, None] + 1) % len(values), index), cosine.copy()
    cosine[missing] = 0
    # Where it does not find the row itself, the last of the neighbors goes instead.
    own[~own.any(axis=1), -1] = True
    kept = ~own
    return index[kept].reshape(-1, k), np.asarray(cosine[kept].reshape(-1, k), np.float32)
