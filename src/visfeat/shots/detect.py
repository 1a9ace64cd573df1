"""Detecting shots: the frames of a video, cut where the network says so."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.open import open_decoder
from visfeat.engine.resolve_shots import SHOT_THRESHOLD
from visfeat.errors import UnsupportedMedia, UsageError
from visfeat.frames import Frame
from visfeat.media.item import Kind, MediaItem, uri_of
from visfeat.media.read import identify
from visfeat.preprocess import Preprocessor
from visfeat.shots.transnetv2 import Picture, Probabilities, ShotChanges, ShotDetector

THRESHOLD = SHOT_THRESHOLD


@dataclass(frozen=True, slots=True)
class Shot:
    """The frames ``[start_frame, end_frame)``, on display during ``[start_s, end_s)``."""

    start_s: Fraction
    """Exact seconds after the first displayed frame."""
    end_s: Fraction
    start_frame: int
    end_frame: int
    probability: float
    """Of the change with which it begins; 1 for the first shot."""


@dataclass(frozen=True, slots=True)
class VideoShots:
    """All shots of one video."""

    item: MediaItem
    """The video as it was read."""
    shots: tuple[Shot, ...]
    average_fps: Fraction | None
    """As its header says."""
    problem: str | None
    """Why frames are missing, else None."""


def detect_shots(
    path: str | os.PathLike[str], *, threshold: float = THRESHOLD, stream: int | None = None
) -> list[Shot]:
    """The shots of a video, contiguous: every decoded frame is in exactly one.

    ``threshold``: the least probability of a change. ``stream``: which video stream, None for the best. Raises
    MediaError where the file cannot be read or is no video, UsageError for a threshold outside of 0 to 1.
    """
    check_threshold(threshold)
    return list(shots_of(path, ShotDetector(), threshold=threshold, stream=stream).shots)


def check_threshold(threshold: float) -> None:
    """Raise UsageError unless it is between 0 and 1."""
    if not 0 < threshold < 1:
        raise UsageError(f"--threshold {threshold:g}: a probability between 0 and 1")


def shots_of(
    path: str | os.PathLike[str], detector: ShotDetector, *, threshold: float = THRESHOLD, stream: int | None = None
) -> VideoShots:
    """The shots of a video by a detector that is there already; raises MediaError."""
    item, _ = identify(MediaItem(uri_of(path), 0, 0))
    return shots_of_item(item, detector, threshold=threshold, stream=stream)


def shots_of_item(
    item: MediaItem,
    detector: ShotDetector,
    *,
    threshold: float = THRESHOLD,
    stream: int | None = None,
    on_frame: Callable[[], None] = lambda: None,
) -> VideoShots:
    """The shots of a video that was identified, in a decode of its own; raises MediaError.

    ``on_frame`` is called with each frame and may raise to stop.
    """
    if item.kind is not Kind.VIDEO:
        raise UnsupportedMedia("not a video")
    with (
        closing(open_decoder(item, None, DecodeOptions(stream=stream))) as decoder,
        closing(ShotTracker(detector, threshold=threshold)) as tracker,
    ):
        for frame in decoder.frames():
            on_frame()
            tracker.feed(frame)
        return VideoShots(item, tracker.finish(), decoder.info.average_fps, decoder.problem)


class ShotTracker:
    """Finds the shots of one video that is fed frame by frame, in flat memory; to be closed."""

    def __init__(self, detector: ShotDetector, *, threshold: float = THRESHOLD) -> None:
        self._preprocess = Preprocessor(detector.input)
        self._changes = ShotChanges(detector)
        self._cutter = ShotCutter(threshold)
        self._starts_s: deque[Fraction] = deque()
        """Of the frames whose probability is not known yet."""
        self._end_s = Fraction(0)

    def feed(self, frame: Frame) -> None:
        """Take the next frame; raises MediaError where it cannot be converted."""
        picture = self._picture(frame)
        self._starts_s.append(frame.start_s or Fraction(0))
        self._end_s = frame.end_s or self._end_s
        self._cut(self._changes.feed(picture))

    def finish(self) -> tuple[Shot, ...]:
        """All shots, after the last frame."""
        self._cut(self._changes.finish())
        return self._cutter.finish(self._end_s)

    def close(self) -> None:
        """Let go of the network; may be called twice."""
        self._changes.close()

    def _picture(self, frame: Frame) -> Picture:
        size_px = self._preprocess.spec.size_px
        picture = frame.rgb_near(size_px)
        # Other packages' decoders may not shrink.
        return picture if picture.shape[:2] == size_px else self._preprocess.picture(picture)

    def _cut(self, known: Sequence[Probabilities]) -> None:
        for one in known:
            self._cutter.feed(one.change, self._starts_s.popleft())


class ShotCutter:
    """Cuts a video after the likeliest frame of each run of frames whose probability is above the threshold.

    A run that reaches the first or the last frame is no change between two shots: there is but one.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._shots: list[Shot] = []
        self._count = 0
        self._first, self._first_s, self._probability = 0, Fraction(0), 1.0
        """Of the shot that is not over yet."""
        self._peak: tuple[float, int] | None = None
        self._after_peak_s = Fraction(0)
        self._is_first_run = False

    def feed(self, change: float, start_s: Fraction) -> None:
        """The next frame: the probability that the shot changes after it, and when it goes on display."""
        number, self._count = self._count, self._count + 1
        if number == 0:
            self._first_s = start_s
        if self._peak is not None and number == self._peak[1] + 1:
            self._after_peak_s = start_s
        if change > self._threshold:
            self._is_first_run = number == 0 or (self._is_first_run and self._peak is not None)
            if self._peak is None or change > self._peak[0]:
                self._peak = (change, number)
        elif self._peak is not None:
            if not self._is_first_run:
                self._begin(self._peak[1] + 1, self._after_peak_s, self._peak[0])
            self._peak = None

    def finish(self, end_s: Fraction) -> tuple[Shot, ...]:
        """All shots; ``end_s`` is when the last frame ends."""
        self._begin(self._count, end_s, 1.0)
        return tuple(self._shots)

    def _begin(self, frame: int, start_s: Fraction, probability: float) -> None:
        self._shots.append(Shot(self._first_s, start_s, self._first, frame, self._probability))
        self._first, self._first_s, self._probability = frame, start_s, probability


def shots_between(
    changes: NDArray[np.floating] | Sequence[float], bounds_s: Sequence[Fraction], threshold: float
) -> tuple[Shot, ...]:
    """Shots from the probability of a change after each of N frames; ``bounds_s`` are N starts and the last end."""
    cutter = ShotCutter(threshold)
    for change, start_s in zip(changes, bounds_s[:-1], strict=True):
        cutter.feed(float(change), start_s)
    return cutter.finish(bounds_s[-1])


def first_frames(changes: NDArray[np.floating], threshold: float) -> list[int]:
    """The first frames of all shots but the first.

    >>> first_frames(np.array([0.9, 0.1, 0.1, 0.6, 0.8, 0.7, 0.1, 0.9]), 0.5)
    [5]
    """
    bounds_s = [Fraction(number) for number in range(len(changes) + 1)]
    return [shot.start_frame for shot in shots_between(changes, bounds_s, threshold)[1:]]
