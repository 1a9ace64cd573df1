"""What a network is given at once: a frame, or a clip of several, with its time, from an open decoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from visfeat.clips import clips
from visfeat.decode.decoder import Decoder
from visfeat.frames import NO_TIME, FrameBatch
from visfeat.preprocess import Preprocessor
from visfeat.recipe import Recipe
from visfeat.sample import Sample, grid, numbered, on_display, sample


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """One row on its way: uint8 pixels ``(T, height, width, 3)``, its time, and the indices of its T frames.

    A frame's time is the interval during which it is on display, a clip's the window of time that it stands for (NaN
    for a still image). ``repeated``: how many frames at the end are there again because the video was too short.
    """

    pixels: NDArray[np.uint8]
    start_s: float
    end_s: float
    frame_index: NDArray[np.int64]
    repeated: int = 0


def network_inputs(decoder: Decoder, recipe: Recipe, preprocess: Preprocessor) -> Iterator[NetworkInput]:
    """Sample, preprocess and, for a network of clips, gather: each frame is decoded and prepared once.

    The recipe has no open field. Raises MediaError where a frame cannot be decoded.
    """
    frames = (_Frame.of(chosen, preprocess) for chosen in _chosen(decoder, recipe))
    if recipe.clip is None:
        return (frame.alone() for frame in frames)
    windows = clips(frames, recipe.clip, stride=recipe.stride or recipe.clip, tail=recipe.tail or "overlap")
    return (_joined(window, recipe) for window in windows)


def _chosen(decoder: Decoder, recipe: Recipe) -> Iterator[Sample]:
    """The frames that the recipe looks at, in order."""
    if recipe.clip is not None:
        if recipe.consecutive or recipe.clip_fps is None:
            return numbered(decoder.frames())
        return on_display(decoder.frames(), grid(1 / recipe.clip_fps))
    duration_s = decoder.measure_duration_s() if recipe.frames is not None else None
    return sample(decoder.frames(), recipe, duration_s=duration_s)


@dataclass(frozen=True, slots=True)
class _Frame:
    """A prepared frame and the time for which it was chosen."""

    pixels: NDArray[np.uint8]
    time_s: Fraction | None
    start_s: float
    end_s: float
    index: int

    @classmethod
    def of(cls, chosen: Sample, preprocess: Preprocessor) -> _Frame:
        batch = FrameBatch.of(chosen.frame)
        return cls(
            pixels=preprocess(batch)[0, 0],
            time_s=chosen.time_s,
            start_s=float(batch.pts_s[0, 0]),
            end_s=float(batch.end_s[0, 0]),
            index=int(batch.frame_index[0, 0]),
        )

    def alone(self) -> NetworkInput:
        return NetworkInput(self.pixels[None], self.start_s, self.end_s, np.array([self.index], dtype=np.int64))


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
        pixels=np.stack([frame.pixels for frame in window]),
        start_s=start_s,
        end_s=end_s,
        frame_index=np.array([frame.index for frame in window], dtype=np.int64),
        repeated=len(window) - distinct,
    )
