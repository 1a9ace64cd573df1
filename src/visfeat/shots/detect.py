"""Detecting shots: the frames of a video, cut where the network says so."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from visfeat.decode.decoder import DecodeOptions, Decoder
from visfeat.decode.open import open_decoder
from visfeat.errors import UnsupportedMedia, UsageError
from visfeat.media.item import Kind, MediaItem, uri_of
from visfeat.media.read import identify
from visfeat.preprocess import Preprocessor
from visfeat.shots.transnetv2 import ShotDetector

THRESHOLD = 0.5


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
    """The shots of a video by a detector that is there already; raises MediaError. Memory does not grow with pixels."""
    item, _ = identify(MediaItem(uri_of(path), 0, 0))
    if item.kind is not Kind.VIDEO:
        raise UnsupportedMedia("not a video")
    options = DecodeOptions(stream=stream)
    with closing(open_decoder(item, None, options)) as decoder:
        starts: list[Fraction] = []
        pictures = _pictures(decoder, Preprocessor(detector.input), starts)
        changes = np.array([one.change for one in detector.probabilities(pictures)])
        return VideoShots(item, shots_between(changes, starts, threshold), decoder.info.average_fps, decoder.problem)


def _pictures(decoder: Decoder, preprocess: Preprocessor, bounds_s: list[Fraction]) -> Iterator[NDArray[np.uint8]]:
    """The network's pictures; ``bounds_s`` is filled with the start of each frame, and the end of the last."""
    end_s = Fraction(0)
    for frame in decoder.frames():
        picture = frame.rgb_near(preprocess.spec.size_px)
        # Other packages' decoders may not shrink.
        yield picture if picture.shape[:2] == preprocess.spec.size_px else preprocess.picture(picture)
        bounds_s.append(frame.start_s or Fraction(0))
        end_s = frame.end_s or end_s
    bounds_s.append(end_s)


def shots_between(changes: NDArray[np.floating], bounds_s: Sequence[Fraction], threshold: float) -> tuple[Shot, ...]:
    """Shots from the probability of a change after each of N frames; ``bounds_s`` are N starts and the last end."""
    cuts = [0, *first_frames(changes, threshold), len(changes)]
    return tuple(
        Shot(bounds_s[first], bounds_s[end], first, end, float(changes[first - 1]) if first else 1.0)
        for first, end in pairwise(cuts)
    )


def first_frames(changes: NDArray[np.floating], threshold: float) -> list[int]:
    """The first frames of all shots but the first: each follows the likeliest frame of a run above the threshold.

    A run that reaches the first or the last frame is no change between two shots: there is but one.

    >>> first_frames(np.array([0.9, 0.1, 0.1, 0.6, 0.8, 0.7, 0.1, 0.9]), 0.5)
    [5]
    """
    above = np.concatenate([[False], changes > threshold, [False]])
    (edges,) = np.nonzero(above[1:] != above[:-1])
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [first + int(np.argmax(changes[first:end])) + 1 for first, end in runs if first > 0 and end < len(changes)]
