"""Which moments of a video are shown as small pictures, and keeping pictures of it while it is decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_MOST = 256
"""Pictures kept of a video of any length."""


class Span(NamedTuple):
    """A shot, in seconds."""

    start_s: float
    end_s: float


class Slot(NamedTuple):
    """A place for a picture: where its middle lies on the axis, the moment that it shows, and in which shot."""

    middle_s: float
    moment_s: float
    shot: int


class Kept(NamedTuple):
    """A picture and when it goes on display."""

    start_s: float
    picture: NDArray[np.uint8]


class Gallery:
    """Pictures of a video, evenly spread, at most 256 whatever its length."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._stride = 1
        self._frames = 0
        self._kept: list[Kept] = []

    def wants_next(self) -> bool:
        """Count one more frame; whether its picture is wanted."""
        wanted = self._frames % self._stride == 0
        self._frames += 1
        return wanted

    def add(self, start_s: float, picture: NDArray[np.uint8]) -> None:
        """Keep the picture that was wanted; where there are too many, every second one goes."""
        self._kept.append(Kept(start_s, picture))
        if len(self._kept) > self._most:
            self._kept = self._kept[::2]
            self._stride *= 2

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and channels of the first picture, as the others usually have them."""
        return self._kept[0].picture.shape

    def nearest(self, at_s: float, within: Span) -> NDArray[np.uint8] | None:
        """The picture nearest to a moment among those that start in a shot; None where it has none."""
        candidates = [one for one in self._kept if within.start_s <= one.start_s < within.end_s]
        return min(candidates, key=lambda one: abs(one.start_s - at_s)).picture if candidates else None


def slots(shots: Sequence[Span], width_s: float, length_s: float) -> list[Slot]:
    """Places for pictures of ``width_s`` each, in order of time, that overlap neither each other nor the ends.

    First each shot has one picture, the longest first, then those have more that are longest for their pictures; as
    long as no picture is moved by more than half its width from the moment that it shows.
    """
    count = dict.fromkeys(range(len(shots)), 0)
    queue = [(-(shot.end_s - shot.start_s), number) for number, shot in enumerate(shots)]
    firsts, found = sorted(queue), list[Slot]()
    full: set[int] = set()
    for _, number in firsts:
        found = _tried(shots, count, number, width_s, length_s, full) or found
    while len(full) < len(shots) and len(found) * width_s < length_s:
        number = min(set(count) - full, key=lambda number: (queue[number][0] / max(count[number], 1), number))
        found = _tried(shots, count, number, width_s, length_s, full) or found
    return found


def _tried(
    shots: Sequence[Span], count: dict[int, int], number: int, width_s: float, length_s: float, full: set[int]
) -> list[Slot] | None:
    """The places with one more picture of a shot; None, and the shot is full, where that does not fit."""
    wanted = count | {number: count[number] + 1}
    moments = [(moment, shot) for shot, many in wanted.items() for moment in _moments(shots[shot], many)]
    middles = apart([moment for moment, _ in moments], width_s, length_s)
    if middles is None or any(abs(middle - one[0]) > width_s / 2 for middle, one in zip(middles, moments, strict=True)):
        full.add(number)
        return None
    count[number] += 1
    return [Slot(middle, *one) for middle, one in zip(middles, moments, strict=True)]


def _moments(shot: Span, count: int) -> Iterator[float]:
    """The middles of ``count`` equal parts of a shot."""
    length = shot.end_s - shot.start_s
    return (shot.start_s + length * (2 * k + 1) / (2 * count) for k in range(count))


def apart(wanted: Sequence[float], width: float, length: float) -> list[float] | None:
    """Ascending positions moved as little as can be (least squares) so that each two are ``width`` apart.

    All lie at least half a width inside ``[0, length]``; None where they do not fit. Isotonic regression by pooling
    neighbors that are in each other's way.

    >>> apart([1.0, 1.0, 4.0], 1.0, 9.0), apart([1.0, 1.0], 1.0, 1.5)
    ([0.5, 1.5, 4.0], None)
    """
    if len(wanted) * width > length:
        return None
    pools: list[tuple[float, int]] = []
    for index, position in enumerate(wanted):
        mean, size = position - index * width, 1
        while pools and pools[-1][0] > mean:
            other, more = pools.pop()
            mean, size = (mean * size + other * more) / (size + more), size + more
        pools.append((mean, size))
    first, last = width / 2, length - width / 2 - (len(wanted) - 1) * width
    means = [min(max(mean, first), last) for mean, size in pools for _ in range(size)]
    return [mean + index * width for index, mean in enumerate(means)]
