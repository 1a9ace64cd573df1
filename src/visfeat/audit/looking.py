"""Decoding each content of a store once, small, and measuring it: in flat memory, on all cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np

from visfeat.audit.pixels import Measures, measures, median
from visfeat.errors import MediaError
from visfeat.media.item import Kind
from visfeat.sample import evenly_spaced
from visfeat.show.thumbnail import thumbnail
from visfeat.show.thumbnails import Moment, thumbnails

SIDE_PX = 512
"""Long side at which pictures are measured; smaller ones stay as they are."""
FRAMES = 8
"""Looked at of a video, evenly spaced."""

Item = dict[str, Any]


def looked_at(items: list[Item]) -> Iterator[tuple[Item, Measures | str]]:
    """Each item, a row of ``FeatureStore.items``, with its measures or the reason why there are none."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        yield from zip(items, pool.map(_look, items), strict=True)


def _look(item: Item) -> Measures | str:
    try:
        if item["kind"] == Kind.IMAGE:
            return measures(np.asarray(thumbnail(item["uri"], None, (SIDE_PX, SIDE_PX))))
        times = evenly_spaced(FRAMES, Fraction(item["duration_s"] or 0))
        moments: list[Moment] = [(item["uri"], float(time_s)) for time_s in times]
        found = [measures(np.asarray(picture)) for _, picture in thumbnails(moments, (SIDE_PX, SIDE_PX))]
        if not found:
            found = [measures(np.asarray(thumbnail(item["uri"], None, (SIDE_PX, SIDE_PX))))]
        return median(found)
    except MediaError as error:
        return str(error)
