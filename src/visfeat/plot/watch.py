"""Looking at a video once, from its first frame to its last: its shots, its motion, and pictures of it."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.open import open_decoder
from visfeat.frames import Frame
from visfeat.media.item import MediaItem
from visfeat.plot.motion import LONG_SIDE_PX, best_measure
from visfeat.plot.series import Floats
from visfeat.plot.thumbnails import Gallery
from visfeat.shots.detect import Shot, ShotTracker
from visfeat.shots.ensure import StoredShots
from visfeat.shots.transnetv2 import ShotDetector
from visfeat.store import layout

_PICTURE_PX = (240, 160)
"""Width and height of the box into which pictures are shrunk."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one pass over a video showed."""

    length_s: float
    shots: tuple[Shot, ...]
    frame_start_s: Floats
    """Of each of N frames."""
    motion: Floats
    """``(N,)``: of each frame since the one before, 0 for the first."""
    motion_label: str
    """What was measured, in which unit."""
    gallery: Gallery
    problem: str | None
    """Why frames are missing, else None."""


def known_shots(store: str | os.PathLike[str] | None, item: MediaItem) -> tuple[Shot, ...] | None:
    """The shots of this content that a store has, None where it has none. Raises StoreError."""
    if store is None:
        return None
    path = Path(store).expanduser()
    layout.check(path)
    return StoredShots(path).known(item.content_hash)


def watch(item: MediaItem, shots: tuple[Shot, ...] | None) -> Seen:
    """Decode a video once; its shots are found on the way where they are not given. Raises MediaError."""
    watcher = _Watcher()
    with ExitStack() as stack:
        tracker = None if shots is not None else stack.enter_context(closing(ShotTracker(ShotDetector())))
        decoder = stack.enter_context(closing(open_decoder(item, None, DecodeOptions())))
        for frame in decoder.frames():
            once = frame.converted_once()
            watcher.feed(once)
            if tracker is not None:
                tracker.feed(once)
        return Seen(
            length_s=float(watcher.end_s),
            shots=tracker.finish() if tracker is not None else shots or (),
            frame_start_s=np.array(watcher.starts_s),
            motion=np.array(watcher.motion),
            motion_label=watcher.measure.label,
            gallery=watcher.gallery,
            problem=decoder.problem,
        )


class _Watcher:
    """What is kept of the frames as they go by."""

    def __init__(self) -> None:
        self.measure = best_measure()
        self.starts_s: list[float] = []
        self.end_s = Fraction(0)
        self.motion: list[float] = []
        self.gallery = Gallery()
        self._before: NDArray[np.uint8] | None = None
        self._size_px: tuple[int, int] | None = None

    def feed(self, frame: Frame) -> None:
        """Measure the motion since the last frame; keep a picture where one is due."""
        self.starts_s.append(float(frame.start_s or 0))
        self.end_s = frame.end_s or self.end_s
        if self.gallery.wants_next():
            self.gallery.add(self.starts_s[-1], self._shrunk(frame))
        picture = self._small(frame)
        self.motion.append(0.0 if self._before is None else self.measure.between(self._before, picture))
        self._before = picture

    def _shrunk(self, frame: Frame) -> NDArray[np.uint8]:
        rgb = frame.rgb()
        if self._size_px is None:
            scale = min(1.0, LONG_SIDE_PX / max(rgb.shape[:2]))
            self._size_px = (max(1, round(rgb.shape[0] * scale)), max(1, round(rgb.shape[1] * scale)))
        image = Image.fromarray(rgb)
        image.thumbnail(_PICTURE_PX, Image.Resampling.BICUBIC)
        return np.asarray(image)

    def _small(self, frame: Frame) -> NDArray[np.uint8]:
        """The frame at the size of the first, shrunk, at which motion is measured."""
        assert self._size_px is not None  # the first frame is always in the gallery
        picture = frame.rgb_near(self._size_px)
        if picture.shape[:2] == self._size_px:
            return picture
        return np.asarray(Image.fromarray(picture).resize(self._size_px[::-1], Image.Resampling.BOX))
