"""Which moments stand for a video: of its shots, grouped by what they show, the one in the middle of each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import MissingExtra
from visfeat.temporal.segments import RowTimes, ShotSpans, rows_of_shots

Rows = NDArray[np.float32]

LONGEST_PIECE_S = 10.0
"""Longer shots are looked at in pieces, so that an uncut video has moments too."""
SHORTEST_PIECE_S = 2.0
_ALIKE = 0.3
"""Distance between unit vectors up to which two pieces show the same, however still the video is."""


@dataclass(frozen=True, slots=True)
class KeyMoment:
    """A moment, the passage around it, and for how much it stands."""

    at_s: float
    start_s: float
    end_s: float
    share: float
    """Of the video's time: that of all the pieces of its group."""
    pieces: int
    """How many shots, or pieces of long ones, are of its group."""


def pieces_of(shots: ShotSpans, longest_s: float) -> ShotSpans:
    """The shots, those longer than ``longest_s`` cut into equal pieces that are not."""
    bounds = []
    for start, end in zip(shots.start_s.tolist(), shots.end_s.tolist(), strict=True):
        count = max(1, int(np.ceil((end - start) / longest_s - 1e-9)))
        bounds += list(pairwise(np.linspace(start, end, count + 1).tolist()))
    starts, ends = np.array(bounds).reshape(-1, 2).T
    return ShotSpans(starts, ends)


def key_moments(values: Rows, times: RowTimes, shots: ShotSpans, *, most: int, passage_s: float) -> list[KeyMoment]:
    """At most ``most`` moments of a video in order of time, from its rows ``(N, D)`` of unit length.

    Shots are cut into pieces of at most 10 s, or less where the video is short, each the mean of its rows. Pieces that
    show the same are grouped (``grouped``). Of each group the row nearest to the center is shown, with a passage of up
    to ``passage_s`` around it that stays within its piece. Pieces without a row are left out.
    """
    whole_s = float(shots.end_s[-1] - shots.start_s[0])
    pieces = pieces_of(shots, min(max(whole_s / most, SHORTEST_PIECE_S), LONGEST_PIECE_S))
    found = [(index, rows) for index, rows in enumerate(rows_of_shots(times, pieces)) if rows is not None]
    vectors = np.stack([values[rows].mean(axis=0) for _, rows in found]).astype(np.float32)
    label = grouped(vectors, _usual_spread(values, [rows for _, rows in found], vectors), most)
    length_s = (pieces.end_s - pieces.start_s)[[index for index, _ in found]]
    moments = []
    for group in np.unique(label):
        own = np.flatnonzero(label == group)
        center = np.average(vectors[own], axis=0, weights=length_s[own])
        index, row = _nearest(values, [found[one] for one in own], center)
        middle = float(np.clip(times.start_s[row], pieces.start_s[index], pieces.end_s[index]))
        start, end = _passage(middle, float(pieces.start_s[index]), float(pieces.end_s[index]), passage_s)
        share = float(length_s[own].sum() / length_s.sum())
        moments.append(KeyMoment(float(times.start_s[row]), start, end, share, len(own)))
    return sorted(moments, key=lambda one: one.at_s)


def grouped(vectors: Rows, spread: float, most: int) -> NDArray[np.int64]:
    """The group of each piece ``(P, D)``: int64 ``(P,)``, by average linkage (Sokal and Michener, 1958).

    Groups are joined as long as they are nearer than twice ``spread``, the usual distance of a row from the mean of its
    own piece, and further where there are more than ``most``. Raises MissingExtra without scikit-learn.
    """
    try:
        from sklearn.cluster import AgglomerativeClustering
    except ModuleNotFoundError:
        raise MissingExtra("a summary (scikit-learn)", extra="use") from None
    if len(vectors) == 1:
        return np.zeros(1, np.int64)
    alike = max(2 * spread, _ALIKE)
    label = AgglomerativeClustering(None, distance_threshold=alike, linkage="average").fit_predict(vectors)
    if label.max() + 1 > most:
        label = AgglomerativeClustering(most, linkage="average").fit_predict(vectors)
    return np.asarray(label, np.int64)


def _usual_spread(values: Rows, pieces: Sequence[slice], vectors: Rows) -> float:
    """The median distance of a row from the mean of its piece, of pieces with several rows; 0 where there is none."""
    distances = [
        np.linalg.norm(values[rows] - vector, axis=1)
        for rows, vector in zip(pieces, vectors, strict=True)
        if rows.stop - rows.start > 1
    ]
    return float(np.median(np.concatenate(distances))) if distances else 0.0


def _nearest(values: Rows, pieces: Sequence[tuple[int, slice]], center: NDArray[np.floating[Any]]) -> tuple[int, int]:
    """Of the rows of some pieces the one nearest to a center: the number of its piece, and its own."""
    best: tuple[float, int, int] | None = None
    for index, rows in pieces:
        distance = np.linalg.norm(values[rows] - center, axis=1)
        row = int(distance.argmin())
        if best is None or distance[row] < best[0]:
            best = float(distance[row]), index, rows.start + row
    assert best is not None
    return best[1], best[2]


def _passage(middle_s: float, first_s: float, last_s: float, length_s: float) -> tuple[float, float]:
    """Of that length around a moment, moved to stay within ``[first_s, last_s]``, shorter where that is."""
    start = max(first_s, min(middle_s - length_s / 2, last_s - length_s))
    return start, min(last_s, start + length_s)
