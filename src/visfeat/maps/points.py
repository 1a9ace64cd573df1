"""What a map shows: its points with names, times and groups, and which of them have a picture."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visfeat.maps.run import StoreMap
from visfeat.media.item import path_of

MOST_GROUPS = 12
OTHERS = "others"


@dataclass(frozen=True)
class ShownPoints:
    """N points: xy float32 ``(N, 2)``; item int64 ``(N,)``: index into ``uris``; start_s float64, NaN of images.

    group: int64 ``(N,)``, index into ``groups``, -1 for none; ``groups`` is empty where nothing tells points apart.
    """

    xy: NDArray[np.float32]
    item: NDArray[np.int64]
    uris: tuple[str, ...]
    start_s: NDArray[np.float64]
    group: NDArray[np.int64]
    groups: tuple[str, ...]
    title: str
    subtitle: str

    def moment(self, index: int) -> tuple[str, float | None]:
        """The URI of a point, and its time."""
        time_s = float(self.start_s[index])
        return self.uris[self.item[index]], None if np.isnan(time_s) else time_s


def shown_points(found: StoreMap, labels: Mapping[str, str] | None = None) -> ShownPoints:
    """The points of a map; in groups by ``labels`` (URI -> label), else by folder where there are 2 to 12 of these."""
    join = found.reader.join
    start_s = np.concatenate(
        [np.empty(0), *(part["start_s"].fill_null(np.nan).to_numpy() for part in found.reader.metadata_batches())]
    )
    group_of_item, groups = _groups(join.uris, labels, np.unique(join.item))
    items = len(np.unique(join.item))
    stored = found.reader.space
    counted = f"{len(found.xy):,} rows of {items:,} items" if len(found.xy) != items else f"{items:,} items"
    return ShownPoints(
        xy=found.xy,
        item=join.item.astype(np.int64),
        uris=join.uris,
        start_s=start_s,
        group=group_of_item[join.item],
        groups=groups,
        title=f"{counted} by {'PaCMAP' if found.method == 'pacmap' else 'PCA'}",
        subtitle=f"{stored.stored.title}, {stored.layer.layer}{_variance(found)}",
    )


def spread(xy: NDArray[np.float32], most: int, seed: int = 0) -> NDArray[np.int64]:
    """At most ``most`` of the points ``(N, 2)``, such that no part of the map that has any goes without; ascending.

    Of each cell of a grid one point, then a second one, and so on; which one, the seed draws.
    """
    count = len(xy)
    if count <= most:
        return np.arange(count, dtype=np.int64)
    low, side = xy.min(axis=0), np.ptp(xy, axis=0)
    cells = max(1, int(np.sqrt(most)))
    cell = np.minimum((xy - low) / np.where(side > 0, side, 1) * cells, cells - 1).astype(np.int64)
    number = cell[:, 0] * cells + cell[:, 1]
    order = np.random.default_rng(seed).permutation(count)
    order = order[np.argsort(number[order], kind="stable")]
    sizes = np.bincount(number, minlength=cells * cells)
    rank = np.arange(count) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(order[np.argsort(rank, kind="stable")[:most]])


def _variance(found: StoreMap) -> str:
    if len(found.explained) < 2:
        return ""
    return f"; x has {100 * found.explained[0]:.0f}% of the variance, y {100 * found.explained[1]:.0f}%"


def _groups(
    uris: tuple[str, ...], labels: Mapping[str, str] | None, shown: NDArray[np.int32]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The group of each item, and their names, the largest first; of too many the smaller ones are "others"."""
    if labels is not None:
        named: list[str | None] = [labels.get(uri) for uri in uris]
    else:
        named = [os.path.basename(os.path.dirname(path_of(uri))) for uri in uris]
        if not 2 <= len({named[item] for item in shown}) <= MOST_GROUPS:
            return np.full(len(uris), -1, np.int64), ()
    counts = Counter(name for item in shown if (name := named[item]) is not None)
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    groups = ordered if len(ordered) <= MOST_GROUPS else [*ordered[: MOST_GROUPS - 1], OTHERS]
    code = {name: min(number, len(groups) - 1) for number, name in enumerate(ordered)}
    return np.array([-1 if name is None else code.get(name, -1) for name in named], np.int64), tuple(groups)
