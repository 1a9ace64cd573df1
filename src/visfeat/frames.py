"""Pixels with their times: what decoders know about a stream, one decoded frame, and batches of frames.

Times are seconds after the first displayed frame. A frame is on display during the half-open
interval ``[start_s, end_s)``. A still image is one frame without times (NaN).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import VisfeatError

NO_TIME = math.nan
"""The time of a still image."""

NO_INDEX = -1
"""The frame index of a still image."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What the header of an image or video says, before anything is decoded.

    ``height`` and ``width`` are those of the upright picture with square pixels. ``num_frames``,
    ``average_fps`` and ``duration_s`` are the container's word, which may be wrong, or None.
    ``start_time_s`` is where the container's own clock shows the first frame. ``notes`` say what a
    reader should know (interlaced, HDR, times derived from the output order).
    """

    height: int
    width: int
    num_frames: int | None = None
    average_fps: Fraction | None = None
    duration_s: float | None = None
    start_time_s: float | None = None
    rotation: int = 0
    codec: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame in presentation order; its pixels are converted to RGB only on request.

    ``index`` counts the frames of a full decode from 0 (``NO_INDEX`` for a still image).
    ``start_s`` and ``end_s`` are exact fractions of a second, None for a still image.
    ``rgb`` returns a uint8 array ``(H, W, 3)``: upright, square pixels. ``scaled``, where the decoder can, returns the
    whole picture in another height and width, whatever its aspect, shrunk on the way to RGB.
    """

    index: int
    start_s: Fraction | None
    end_s: Fraction | None
    is_keyframe: bool
    rgb: Callable[[], NDArray[np.uint8]]
    scaled: Callable[[tuple[int, int]], NDArray[np.uint8]] | None = None

    def rgb_near(self, size_px: tuple[int, int]) -> NDArray[np.uint8]:
        """The picture in that height and width where the decoder can scale, else in full size."""
        return self.rgb() if self.scaled is None else self.scaled(size_px)

    def converted_once(self) -> Frame:
        """The same frame for several readers: it is converted once for each size, and nobody may write to it."""
        sizes: dict[tuple[int, int] | None, NDArray[np.uint8]] = {}

        def rgb() -> NDArray[np.uint8]:
            if None not in sizes:
                sizes[None] = self.rgb()
            return sizes[None]

        def scaled(size_px: tuple[int, int]) -> NDArray[np.uint8]:
            if size_px not in sizes:
                sizes[size_px] = self.rgb_near(size_px)
            return sizes[size_px]

        return replace(self, rgb=rgb, scaled=None if self.scaled is None else scaled)


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """N clips of T frames with their times; a frame is a clip of one.

    data: uint8 ``(N, T, H, W, 3)``; pts_s, end_s: float64 ``(N, T)``; frame_index: int64 ``(N, T)``.
    """

    data: NDArray[np.uint8]
    pts_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    frame_index: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check shapes and dtypes, and quote what arrived."""
        if self.data.dtype != np.uint8 or self.data.ndim != 5 or self.data.shape[-1] != 3:
            raise VisfeatError(
                f"FrameBatch.data must be uint8 (N, T, H, W, 3); got {self.data.dtype} {self.data.shape}"
            )
        for name in ("pts_s", "end_s", "frame_index"):
            shape = getattr(self, name).shape
            if shape != self.data.shape[:2]:
                raise VisfeatError(f"FrameBatch.{name} must have shape {self.data.shape[:2]}; got {shape}")

    @classmethod
    def of(cls, frame: Frame) -> FrameBatch:
        """The batch ``(1, 1, H, W, 3)`` that holds one frame."""
        start = NO_TIME if frame.start_s is None else float(frame.start_s)
        end = NO_TIME if frame.end_s is None else float(frame.end_s)
        return cls(
            data=frame.rgb()[None, None],
            pts_s=np.array([[start]]),
            end_s=np.array([[end]]),
            frame_index=np.array([[frame.index]], dtype=np.int64),
        )


@dataclass(frozen=True, slots=True)
class Label:
    """One of the network's own class names, with its probability: by softmax, of several labels at once by sigmoid."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Features:
    """The feature vectors of one item at one layer.

    values: float32 or float16 ``(N, D)``, or ``(N, C, H, W)`` and ``(N, T, C)`` where nothing was pooled;
    start_s, end_s: float64 ``(N,)``; frame_index: int64 ``(N,)``, the first frame of each row.
    Row n lies at position n of its item. ``labels`` holds N tuples where ``top`` was asked for.
    """

    uri: str
    layer: str
    values: NDArray[np.floating]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    frame_index: NDArray[np.int64]
    recipe_digest: str
    labels: tuple[tuple[Label, ...], ...] = field(default=())

    def __post_init__(self) -> None:
        """Check that every column has one entry a row."""
        for name in ("start_s", "end_s", "frame_index"):
            rows = len(getattr(self, name))
            if rows != len(self.values):
                raise VisfeatError(f"Features.{name} must have {len(self.values)} rows; got {rows}")

    def __len__(self) -> int:
        return len(self.values)
