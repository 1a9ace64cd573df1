"""Sampling: which frames of a video a recipe looks at.

All choices follow one rule: the frame at time t is the one on display at t, the last with ``start_s <= t``.
Samples are numbered from 0 in order of time; the number is the row's position.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

from visfeat.frames import Frame
from visfeat.recipe import Recipe


class Sample(NamedTuple):
    """A chosen frame: its number among the chosen ones, and the time it was chosen for (None for a still image)."""

    position: int
    time_s: Fraction | None
    frame: Frame


def sample(frames: Iterator[Frame], recipe: Recipe, *, duration_s: Fraction | None = None) -> Iterator[Sample]:
    """Choose frames as the recipe says; a frame that is not chosen is never converted to RGB.

    ``duration_s`` is the exact length of the video; it is needed for ``frames = N`` alone. A still image
    (a frame without times) is its own single sample.
    """
    if recipe.every_frame:
        return numbered(frames)
    if recipe.keyframes:
        return numbered(frame for frame in frames if frame.is_keyframe)
    if recipe.frames is not None:
        return on_display(frames, evenly_spaced(recipe.frames, duration_s))
    return on_display(frames, grid(recipe.interval_s))


def numbered(frames: Iterable[Frame]) -> Iterator[Sample]:
    """Each frame, at the time when it goes on display."""
    return (Sample(position, frame.start_s, frame) for position, frame in enumerate(frames))


def grid(interval_s: Fraction) -> Iterator[Fraction]:
    """The times 0, interval, 2 interval, ... without end."""
    count = 0
    while True:
        yield count * interval_s
        count += 1


def evenly_spaced(number: int, duration_s: Fraction | None) -> Iterator[Fraction]:
    """The middles of ``number`` equal parts of the duration: ``(k + 1/2) duration / number``."""
    length = Fraction(0) if duration_s is None else duration_s
    return (Fraction(2 * k + 1, 2 * number) * length for k in range(number))


def on_display(frames: Iterator[Frame], times_s: Iterator[Fraction]) -> Iterator[Sample]:
    """The frame on display at each time; a frame stands once for each time that falls into its interval.

    All frames are read, also those after the last time: only at its end does a decoder tell what was lost on the way.
    Times ascend. The ones after the end of the video have no frame, nor have those of a stretch that was lost to
    damage: no other frame stands in.
    """
    position = 0
    time_s = next(times_s, None)
    for frame in frames:
        if frame.start_s is None or frame.end_s is None:
            yield Sample(position, None, frame)
            return
        while time_s is not None and time_s < frame.end_s:
            if time_s >= frame.start_s:
                yield Sample(position, time_s, frame)
                position += 1
            time_s = next(times_s, None)
