"""Passages that videos have in common: which pairs of videos are worth aligning, and their alignments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visfeat.dedupe.align import LEAST_ROWS, Aligned, Series, passages
from visfeat.dedupe.contents import Videos
from visfeat.dedupe.pairs import blocks_above


@dataclass(frozen=True)
class Shared:
    """A passage of the videos with these numbers; those of known videos go on after the new ones."""

    first: int
    second: int
    aligned: Aligned
    mirrored: bool


def shared_passages(
    new: Videos,
    known: Videos | None,
    threshold: float,
    *,
    ends_s: tuple[NDArray[np.float64], NDArray[np.float64]],
    shortest_s: float,
    mirrors: NDArray[np.float32] | None = None,
) -> list[Shared]:
    """Passages of V new videos in one another, and in known ones.

    ``ends_s``: when each new and each known video ends, float64 ``(V,)`` and ``(K,)``. ``mirrors``: the new videos'
    rows in a mirror. A passage that shows the same both ways is reported as it is.
    """
    left = _Side(new, new.values, ends_s[0])
    turned = None if mirrors is None else _Side(new, mirrors, ends_s[0])
    found = list(_within(left, left, threshold, shortest_s))
    if turned is not None:
        found += [one for one in _within(turned, left, threshold, shortest_s) if not _is_known(one, found)]
    if known is not None:
        right, before = _Side(known, known.values, ends_s[1]), len(new)
        against = list(_between(left, right, threshold, shortest_s, before))
        if turned is not None:
            more = _between(turned, right, threshold, shortest_s, before)
            against += [one for one in more if not _is_known(one, against)]
        found += against
    return sorted(found, key=lambda one: (one.first, one.second, one.aligned.first_start_s))


@dataclass(frozen=True)
class _Side:
    """Videos as they are compared: with these rows, and these ends."""

    videos: Videos
    values: NDArray[np.float32]
    ends_s: NDArray[np.float64]

    def series(self, video: int) -> Series:
        return Series(self.videos.start_s[self.videos.rows(video)], float(self.ends_s[video]))


def _within(left: _Side, right: _Side, threshold: float, shortest_s: float) -> Iterator[Shared]:
    """Passages of videos in others of the same, each pair once."""
    is_mirrored = left.values is not right.values
    others = right.values if is_mirrored else None
    pairs = {(min(pair), max(pair)) for pair in _candidates(left, right, threshold, others) if pair[0] != pair[1]}
    for first, second in sorted(pairs):
        for one in _aligned(left, right, first, second, threshold, shortest_s):
            yield Shared(first, second, one, is_mirrored)


def _between(left: _Side, right: _Side, threshold: float, shortest_s: float, before: int) -> Iterator[Shared]:
    """Passages of videos in known ones, whose numbers begin at ``before``."""
    is_mirrored = left.values is not left.videos.values
    for first, second in sorted(_candidates(left, right, threshold, right.values)):
        for one in _aligned(left, right, first, second, threshold, shortest_s):
            yield Shared(first, second + before, one, is_mirrored)


def _candidates(
    left: _Side, right: _Side, threshold: float, others: NDArray[np.float32] | None
) -> list[tuple[int, int]]:
    """Pairs of videos of which enough rows are alike; a block of rows at a time."""
    of_left, of_right, number = left.videos.video, right.videos.video, len(right.videos)
    counts: Counter[int] = Counter()
    for block in blocks_above(left.values, threshold, others=others):
        pair = of_left[block.first] * number + of_right[block.second]
        # Of a still scene each row is like all others: rows count, not pairs.
        distinct = np.unique(np.stack([pair, block.first]), axis=1)[0]
        codes, rows = np.unique(distinct, return_counts=True)
        counts.update(dict(zip(codes.tolist(), rows.tolist(), strict=True)))
    if others is None:
        # Of each pair of rows only one order was looked at, so that the rows of either video may be the later ones.
        for code in list(counts):
            first, second = divmod(code, number)
            if first < second:
                counts[code] += counts.pop(second * number + first, 0)
    return [divmod(code, number) for code, rows in counts.items() if rows >= LEAST_ROWS]


def _aligned(left: _Side, right: _Side, first: int, second: int, threshold: float, shortest_s: float) -> list[Aligned]:
    alike = left.values[left.videos.rows(first)] @ right.values[right.videos.rows(second)].T
    return passages(alike, left.series(first), right.series(second), threshold=threshold, shortest_s=shortest_s)


def _is_known(one: Shared, known: list[Shared]) -> bool:
    """Whether a passage overlaps one of the same videos that is known."""
    return any(
        (one.first, one.second) == (other.first, other.second)
        and one.aligned.first_start_s < other.aligned.first_end_s
        and other.aligned.first_start_s < one.aligned.first_end_s
        for other in known
    )


def ends_of(videos: Videos, durations_s: dict[str, float | None]) -> NDArray[np.float64]:
    """When each video ends, float64 ``(V,)``: as its container says, where that is near its last row, else there.

    A row stands for the time up to the next one, so that the end is at most a step after the last one.
    """
    ends = np.array(videos.last_end_s, np.float64)
    for number, uris in enumerate(videos.uris):
        starts = videos.start_s[videos.rows(number)]
        step_s = float(np.median(np.diff(starts))) if len(starts) > 1 else 1.0
        said = durations_s.get(uris[0])
        latest = float(starts[-1]) + step_s
        ends[number] = max(ends[number], min(said, latest) if said is not None else latest)
    return ends
