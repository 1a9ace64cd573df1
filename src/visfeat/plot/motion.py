"""How much moves from one frame to the next, as one number: optical flow where OpenCV is installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import MissingExtra
from visfeat.flow.dis import DisFlow
from visfeat.flow.field import magnitude_px

Picture = NDArray[np.uint8]

LONG_SIDE_PX = 160
"""Of the pictures that are compared."""


@dataclass(frozen=True)
class Measure:
    """A measure of motion and what an axis is to say of it."""

    label: str
    between: Callable[[Picture, Picture], float]
    """Of two pictures uint8 ``(H, W, 3)`` of one size, that before and that after."""


def best_measure() -> Measure:
    """The mean length of the flow where OpenCV is installed, else the mean absolute difference."""
    try:
        flow = DisFlow()
    except MissingExtra:
        return Measure("motion: mean absolute\nframe difference (0-255)", frame_difference)

    def between(before: Picture, after: Picture) -> float:
        mean_px = float(magnitude_px(flow(before, after)).mean())
        return 100 * mean_px / float(max(before.shape[:2]))

    return Measure("motion: mean flow, % of\nthe long side per frame", between)


def frame_difference(before: Picture, after: Picture) -> float:
    """The mean absolute difference of two pictures of one size, 0 to 255, over pixels and channels."""
    return float(np.abs(after.astype(np.int16) - before).mean())
