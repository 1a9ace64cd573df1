"""What a network is given at once: a frame, or a clip of several, with its time; assembled frame by frame.

frame -> sampled -> looked at (preprocessed) -> gathered into clips -> NetworkInput
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from visfeat.clips import Windows
from visfeat.decode.decoder import Decoder
from visfeat.extraction.flow import FlowSteps, Step
from visfeat.frames import NO_TIME, Frame, FrameBatch
from visfeat.preprocess import Preprocessor
from visfeat.recipe import Recipe
from visfeat.sample import Sample, evenly_spaced, sampler_of


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """One row on its way: uint8 pixels ``(V, T, height, width, C)``, its time, and the indices of its T frames.

    V is 1, or the number of views (``visfeat.views``), each cut out of all T frames alike.

    A frame's time is the interval during which it is on display, a clip's the window of time that it stands for (NaN
    for a still image). ``repeated``: how many frames at the end are there again because the video was too short.
    """

    pixels: NDArray[np.uint8]
    start_s: float
    end_s: float
    frame_index: NDArray[np.int64]
    repeated: int = 0


class FramePreparer:
    """Frames as the network's pixels; asked for the same frame again in a row, it has the answer.

    Several assemblers may share one, so that a frame is prepared once for all recipes of equal preprocessing.
    """

    def __init__(self, preprocess: Preprocessor) -> None:
        self.preprocess = preprocess
        self._last: tuple[Frame, NDArray[np.uint8]] | None = None

    def __call__(self, frame: Frame) -> NDArray[np.uint8]:
        """Uint8 ``(V, height, width, 3)``, not to be written to; raises MediaError."""
        if self._last is None or self._last[0] is not frame:
            self._last = (frame, self.preprocess(FrameBatch.of(frame))[:, 0])
        return self._last[1]


class InputAssembler:
    """Makes a network's inputs from the frames of one video or still image, in flat memory."""

    def __init__(
        self,
        recipe: Recipe,
        preprocess: Preprocessor | FramePreparer,
        *,
        times_s: Iterator[Fraction] | None = None,
    ) -> None:
        """The recipe has no open field; ``times_s`` as for ``sample.sampler_of``."""
        self._recipe = recipe
        self._prepare = preprocess if isinstance(preprocess, FramePreparer) else FramePreparer(preprocess)
        self._sampler = sampler_of(recipe, times_s=times_s)
        self._flow = None if self._prepare.preprocess.flow is None else FlowSteps(self._prepare.preprocess)
        self._windows: Windows[_Frame] | None = None
        if recipe.clip is not None:
            stride, tail = recipe.stride or recipe.clip, recipe.tail or "overlap"
            self._windows = Windows(recipe.clip, stride=stride, tail=tail)

    def feed(self, frame: Frame) -> Iterator[NetworkInput]:
        """The inputs that this frame completes; to be exhausted before the next one. Raises MediaError."""
        for chosen in self._sampler.feed(frame):
            for seen in self._look_at(chosen):
                yield from self._gather(seen)

    def finish(self) -> Iterator[NetworkInput]:
        """The inputs that only the end of the video completes."""
        for step in () if self._flow is None else self._flow.finish():
            yield from self._gather(_Frame.between(step))
        if self._windows is not None:
            yield from (_joined(window, self._recipe) for window in self._windows.finish())

    def _look_at(self, chosen: Sample) -> Iterator[_Frame]:
        """What the network sees of a chosen frame; of flow, what leads to it from the one before."""
        if self._flow is None:
            pixels = self._prepare(chosen.frame)
            yield _Frame.of(chosen, lambda: pixels)
        else:
            yield from map(_Frame.between, self._flow.feed(chosen))

    def _gather(self, seen: _Frame) -> Iterator[NetworkInput]:
        if self._windows is None:
            yield seen.alone()
        else:
            yield from (_joined(window, self._recipe) for window in self._windows.feed(seen))


def network_inputs(
    decoder: Decoder, recipe: Recipe, preprocess: Preprocessor, *, times_s: Iterator[Fraction] | None = None
) -> Iterator[NetworkInput]:
    """All inputs of an open decoder's item: each frame is decoded and prepared once.

    The recipe has no open field; where it takes frames by shot, ``times_s`` says when. Raises MediaError where a frame
    cannot be decoded.
    """
    if recipe.frames is not None and recipe.clip is None:
        times_s = evenly_spaced(recipe.frames, decoder.measure_duration_s())
    assembler = InputAssembler(recipe, preprocess, times_s=times_s)
    for frame in decoder.frames():
        yield from assembler.feed(frame)
    yield from assembler.finish()


@dataclass(frozen=True, slots=True)
class _Frame:
    """A prepared frame and the time for which it was chosen; ``pixels`` are asked for where an input needs them."""

    pixels: Callable[[], NDArray[np.uint8]]
    time_s: Fraction | None
    start_s: float
    end_s: float
    index: int

    @classmethod
    def of(cls, chosen: Sample, pixels: Callable[[], NDArray[np.uint8]]) -> _Frame:
        frame = chosen.frame
        return cls(
            pixels=pixels,
            time_s=chosen.time_s,
            start_s=NO_TIME if frame.start_s is None else float(frame.start_s),
            end_s=NO_TIME if frame.end_s is None else float(frame.end_s),
            index=frame.index,
        )

    @classmethod
    def between(cls, step: Step) -> _Frame:
        """A field of flow: it lasts from its frame to the one that it leads to."""
        seen = cls.of(step.before, step.field)
        if step.after is step.before.frame or step.after.start_s is None:
            return seen
        return replace(seen, end_s=float(step.after.start_s))

    def alone(self) -> NetworkInput:
        return NetworkInput(self.pixels()[:, None], self.start_s, self.end_s, np.array([self.index], dtype=np.int64))


def _joined(window: list[_Frame], recipe: Recipe) -> NetworkInput:
    """A clip; by time it lasts one interval longer than from its first to its last sample."""
    first = window[0]
    distinct = len({id(frame) for frame in window})
    last = window[distinct - 1]
    if first.time_s is None or last.time_s is None:
        start_s, end_s = NO_TIME, NO_TIME
    elif recipe.consecutive or recipe.clip_fps is None:
        start_s, end_s = first.start_s, last.end_s
    else:
        start_s, end_s = float(first.time_s), float(last.time_s + 1 / recipe.clip_fps)
    return NetworkInput(
        pixels=np.stack([frame.pixels() for frame in window], axis=1),
        start_s=start_s,
        end_s=end_s,
        frame_index=np.array([frame.index for frame in window], dtype=np.int64),
        repeated=len(window) - distinct,
    )
