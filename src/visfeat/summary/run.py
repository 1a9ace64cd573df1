"""Summing up a video: its shots, its rows, its key moments."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visfeat.errors import UsageError, naming
from visfeat.media.item import MediaItem
from visfeat.plot.clock import clock
from visfeat.plot.features import Choice, identified, rows_of
from visfeat.plot.watch import known_shots
from visfeat.pool import unit_length
from visfeat.shots.detect import Shot, shots_of_item
from visfeat.shots.transnetv2 import ShotDetector
from visfeat.show.contact_sheet import Tile
from visfeat.show.html_sheet import Section
from visfeat.show.thumbnails import with_pictures
from visfeat.summary.moments import KeyMoment, key_moments
from visfeat.temporal.segments import RowTimes, spans_of

DEFAULT_MOST = 12
DEFAULT_PASSAGE_S = 2.0
_MOST_ROWS = 4000


@dataclass(frozen=True)
class Summary:
    """The key moments of a video in order of time."""

    item: MediaItem
    moments: tuple[KeyMoment, ...]
    shots: tuple[Shot, ...]
    features: str
    """Model, layer and sampling in words."""


def summarize(
    video: str | os.PathLike[str],
    *,
    most: int = DEFAULT_MOST,
    passage_s: float = DEFAULT_PASSAGE_S,
    store: str | os.PathLike[str] | None = None,
    recipe: Choice = None,
    layer: str | None = None,
) -> Summary:
    """At most ``most`` key moments of a video, as ``key_moments`` chooses them, each with a passage around it.

    Shots and rows come from the ``store`` where it has them, else they are made now, as for ``plot.timeline``, and so
    what it raises. Raises UsageError for less than one moment and no time, MissingExtra without scikit-learn.
    """
    if most < 1:
        raise UsageError(f"-n {most}: must be at least 1")
    if not passage_s > 0:
        raise UsageError(f"--seconds {passage_s:g}: must be more than 0")
    item = identified(video)
    shots = known_shots(store, item)
    if shots is None:
        with naming(video):
            shots = shots_of_item(item, ShotDetector()).shots
    rows = rows_of(item, store, recipe, layer, _MOST_ROWS)
    values = unit_length(np.asarray(rows.values, np.float32).reshape(len(rows.values), -1)).astype(np.float32)
    times = RowTimes(rows.start_s, rows.end_s, np.arange(len(values)))
    moments = key_moments(values, times, spans_of(shots), most=most, passage_s=passage_s)
    return Summary(item, tuple(moments), shots, rows.title)


def sections(found: Summary) -> list[Section]:
    """One section: each moment with its time and for how much of the video it stands."""
    lines = [f"{clock(one.at_s)}, {100 * one.share:.0f}% of the video" for one in found.moments]
    tiles = [Tile(found.item.uri, one.at_s, line) for one, line in zip(found.moments, lines, strict=True)]
    length_s = float(found.shots[-1].end_s)
    note = f"{clock(length_s)} long, {_counted(found.shots, 'shot')}; {found.features}"
    return [Section(_counted(found.moments, "key moment"), with_pictures(tiles), note)]


def _counted(what: Sequence[object], name: str) -> str:
    return f"{len(what)} {name}" if len(what) == 1 else f"{len(what)} {name}s"
