"""Moments of a video with the optical flow to the next frame: where they are, what is said of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from visfeat.card import InputSpec
from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.open import open_decoder
from visfeat.errors import BrokenMedia, naming
from visfeat.flow.field import Flow, FlowEstimator, Picture, magnitude_px
from visfeat.flow.motion import Motion, motion_of
from visfeat.frames import Frame
from visfeat.media.read import identify_path
from visfeat.preprocess import Preprocessor
from visfeat.sample import OnDisplay, Sample, Sampler

LONGEST_SIDE_PX = 640
"""Flow is estimated on pictures no larger: that is what is shown."""


@dataclass(frozen=True)
class FlowMoment:
    """A frame uint8 ``(H, W, 3)``, the flow ``(H, W, 2)`` to the next one, and what it says of motion.

    Flow and motion are in pixels of this picture; ``enlarged`` times as many are pixels of the video.
    """

    picture: Picture
    flow: Flow
    start_s: float
    step_s: float
    enlarged: float

    @property
    def motion(self) -> Motion:
        """Statistics of the flow."""
        return motion_of(self.flow)

    @property
    def longest_px(self) -> float:
        """The length that hardly a vector exceeds."""
        return float(np.percentile(magnitude_px(self.flow), 99))

    @property
    def lines(self) -> tuple[str, str]:
        """Two lines for people, in pixels of the video."""
        motion, k = self.motion, self.enlarged
        dx, dy, zoom, turn = motion.camera.per_second(self.step_s)
        moves = f"mean {motion.mean_px * k:.2f} px, 90th percentile {motion.p90_px * k:.2f} px a frame"
        camera = f"camera {dx * k:+.1f}, {dy * k:+.1f} px, zoom x{zoom:.3f}, turn {turn:+.2f} deg a second"
        return (
            f"at {self.start_s:.3f} s, {1000 * self.step_s:.1f} ms to the next frame: {moves}",
            f"{camera} ({100 * motion.camera.agreeing:.0f}% agree); by itself {motion.own_px * k:.2f} px a frame",
        )


def flow_moments(
    path: str | os.PathLike[str],
    estimate: FlowEstimator,
    *,
    times_s: Iterator[Fraction] | None = None,
    start_s: Fraction = Fraction(0),
    end_s: Fraction | None = None,
) -> Iterator[FlowMoment]:
    """The moments of a video: the frame on display at each time, else every frame that begins in [start_s, end_s).

    The last frame of a video has no next one and is left out. Raises MediaError where the file cannot be decoded, and
    where there are no two frames, as in a still image.
    """
    sampler = Between(start_s, end_s) if times_s is None else OnDisplay(times_s)
    found = False
    with naming(path):
        item, content = identify_path(path)
        with closing(open_decoder(item, content, DecodeOptions(animations="video"))) as decoder:
            for before, after in _pairs(decoder.frames(), sampler, end_s):
                found = True
                yield _moment(before, after, estimate)
        if not found:
            raise BrokenMedia("there are no two frames from which to tell motion at that time")


class Between:
    """Every frame that begins in [start_s, end_s); see ``sample.Sampler``."""

    def __init__(self, start_s: Fraction, end_s: Fraction | None) -> None:
        self._start_s, self._end_s = start_s, end_s

    def feed(self, frame: Frame) -> Iterator[Sample]:
        """The frame, where it is wanted."""
        at_s = frame.start_s
        if at_s is not None and at_s >= self._start_s and (self._end_s is None or at_s < self._end_s):
            yield Sample(0, at_s, frame)


def _pairs(frames: Iterator[Frame], sampler: Sampler, end_s: Fraction | None) -> Iterator[tuple[Frame, Frame]]:
    """Each wanted frame with the one after it."""
    before: Frame | None = None
    for frame in frames:
        if before is not None:
            yield before, frame
        if frame.start_s is None or (end_s is not None and frame.start_s >= end_s):
            return
        before = frame if list(sampler.feed(frame)) else None


def _moment(before: Frame, after: Frame, estimate: FlowEstimator) -> FlowMoment:
    assert before.start_s is not None
    assert after.start_s is not None
    first = before.rgb()
    height, width = first.shape[:2]
    share = min(1.0, LONGEST_SIDE_PX / max(height, width))
    # Even sides: a video of these pictures wants them.
    size = tuple(max(2, round(side * share / 2) * 2) for side in (height, width))
    shrink = Preprocessor(
        InputSpec(size_px=(size[0], size[1]), resize_px=min(size), fit="squash", mean=(0, 0, 0), std=(1, 1, 1))
    )
    pictures = [shrink.picture(picture) for picture in (first, after.rgb())]
    return FlowMoment(
        picture=pictures[0],
        flow=estimate(pictures[0], pictures[1]),
        start_s=float(before.start_s),
        step_s=float(after.start_s - before.start_s),
        enlarged=width / size[1],
    )
