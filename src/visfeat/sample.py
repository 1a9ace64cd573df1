"""Sampling: which frames of a video a recipe looks at.

All choices follow one rule: the frame at time t is the one on display at t, the last with ``start_s <= t``.
Samples are numbered from 0 in order of time; the number is the row's position. A sampler is fed frame by frame, so
that one decode serves any number of them; the functions below pull the same samples from an iterator of frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple, Protocol

from visfeat.frames import Frame
from visfeat.recipe import Recipe


class Sample(NamedTuple):
    """A chosen frame: its number among the chosen ones, and the time it was chosen for (None for a still image)."""

    position: int
    time_s: Fraction | None
    frame: Frame


class Sampler(Protocol):
    """What chooses among the frames of one video or still image, which it is fed in order and all of them."""

    def feed(self, frame: Frame) -> Iterator[Sample]:
        """The samples that this frame is, if any; to be exhausted before the next frame is fed."""


class EveryFrame:
    """Chooses each frame, or each N-th from the first on, at the time when it goes on display."""

    def __init__(self, nth: int = 1) -> None:
        self._nth = nth
        self._seen = 0

    def feed(self, frame: Frame) -> Iterator[Sample]:
        """The frame, if it is its turn."""
        position, skipped = divmod(self._seen, self._nth)
        self._seen += 1
        if not skipped:
            yield Sample(position, frame.start_s, frame)


class Keyframes(EveryFrame):
    """Chooses the codec's keyframes."""

    def feed(self, frame: Frame) -> Iterator[Sample]:
        """The frame where it is a keyframe."""
        return super().feed(frame) if frame.is_keyframe else iter(())


class OnDisplay:
    """Chooses the frame on display at each of some times; a frame stands once for each that falls into its interval.

    Times ascend. The ones after the end of the video have no frame, nor have those of a stretch that was lost to
    damage: no other frame stands in. A still image is its own sample.
    """

    def __init__(self, times_s: Iterator[Fraction]) -> None:
        self._times_s = times_s
        self._next_s = next(times_s, None)
        self._position = 0

    def feed(self, frame: Frame) -> Iterator[Sample]:
        """The frame, once for each of the times."""
        if frame.start_s is None or frame.end_s is None:
            yield Sample(self._position, None, frame)
            self._position += 1
            return
        while self._next_s is not None and self._next_s < frame.end_s:
            if self._next_s >= frame.start_s:
                yield Sample(self._position, self._next_s, frame)
                self._position += 1
            self._next_s = next(self._times_s, None)


def sampler_of(recipe: Recipe, *, times_s: Iterator[Fraction] | None = None) -> Sampler:
    """The sampler that a recipe asks for; ``times_s``, where given, are the times to look at instead of its own.

    A recipe for N frames, of a video or of each shot, needs ``times_s``: it does not say how long a video is.
    """
    if times_s is not None:
        return OnDisplay(times_s)
    if recipe.clip is not None:
        by_decoded_frames = recipe.consecutive or recipe.clip_fps is None
        return EveryFrame() if by_decoded_frames else OnDisplay(grid(1 / Fraction(recipe.clip_fps or 1)))
    if recipe.every_frame or recipe.every_nth is not None:
        return EveryFrame(recipe.every_nth or 1)
    if recipe.keyframes:
        return Keyframes()
    if recipe.frames is not None or recipe.frames_per_shot is not None:
        raise ValueError(f"{recipe.sampling}: times_s must say when")
    return OnDisplay(grid(recipe.interval_s))


def sample(frames: Iterable[Frame], recipe: Recipe, *, duration_s: Fraction | None = None) -> Iterator[Sample]:
    """Choose frames as the recipe says; a frame that is not chosen is never converted to RGB.

    ``duration_s`` is the exact length of the video; it is needed for ``frames = N`` alone. A still image
    (a frame without times) is its own single sample.
    """
    times_s = None if recipe.frames is None else evenly_spaced(recipe.frames, duration_s)
    sampler = sampler_of(recipe, times_s=times_s)
    return (chosen for frame in frames for chosen in sampler.feed(frame))


def on_display(frames: Iterable[Frame], times_s: Iterator[Fraction]) -> Iterator[Sample]:
    """The frame on display at each time, as ``OnDisplay`` chooses it.

    All frames are read, also those after the last time: only at its end does a decoder tell what was lost on the way.
    """
    sampler = OnDisplay(times_s)
    return (chosen for frame in frames for chosen in sampler.feed(frame))


def grid(interval_s: Fraction) -> Iterator[Fraction]:
    """The times 0, interval, 2 interval, ... without end."""
    count = 0
    while True:
        yield count * interval_s
        count += 1


def evenly_spaced(number: int, duration_s: Fraction | None, *, start_s: Fraction = Fraction(0)) -> Iterator[Fraction]:
    """The middles of ``number`` equal parts of a duration: ``start + (k + 1/2) duration / number``."""
    length = Fraction(0) if duration_s is None else duration_s
    return (start_s + Fraction(2 * k + 1, 2 * number) * length for k in range(number))
