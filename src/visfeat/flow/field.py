"""Fields of flow: what they are, and as bytes what a network over flow is fed with.

As two-stream networks are fed (Simonyan and Zisserman 2014; Carreira and Zisserman 2017), flow is cut off at +-20
pixels. It is kept as one byte a channel, ``128 + 6.375 flow``, so that flow takes the same path as pixels do: the
rounding is at most 0.08 pixels, and no motion is exactly no motion. With the mean and deviation below a network sees
``flow / 20``, from -1 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Picture: TypeAlias = NDArray[np.uint8]
"""uint8 ``(H, W, 3)``, RGB."""
Flow: TypeAlias = NDArray[np.float32]
"""float32 ``(H, W, 2)``: how far each pixel moves to the right and down until the next picture, in pixels."""

BOUND_PX = 20.0
STILL = 128
"""The byte of no motion."""
BYTES_PER_PX = 255 / (2 * BOUND_PX)
ROUNDING_PX = 0.5 / BYTES_PER_PX
MEAN: tuple[float, float] = (STILL / 255, STILL / 255)
STD: tuple[float, float] = (0.5, 0.5)
"""For InputSpec: ``(byte / 255 - mean) / std`` is ``flow / BOUND_PX``."""


class FlowEstimator(Protocol):
    """A way of estimating flow; several threads may call it at once."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What a reader must know to trust the numbers: the method, its library's version."""

    def __call__(self, before: Picture, after: Picture) -> Flow:
        """The flow from one picture to the next, both uint8 ``(H, W, 3)``, as float32 ``(H, W, 2)``."""


def to_bytes(flow: Flow) -> NDArray[np.uint8]:
    """Flow ``(..., 2)`` as bytes of the same shape, cut off at +-20 pixels."""
    coded: NDArray[np.uint8] = np.clip(np.rint(flow * BYTES_PER_PX + STILL), 0, 255).astype(np.uint8)
    return coded


def from_bytes(coded: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What ``to_bytes`` coded, in pixels, to within ``ROUNDING_PX`` (half a byte more at +20)."""
    return (coded.astype(np.float32) - STILL) / np.float32(BYTES_PER_PX)


def magnitude_px(flow: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Length of each vector of flow ``(..., 2)``: float32 ``(...)``."""
    lengths: NDArray[np.float32] = np.hypot(flow[..., 0], flow[..., 1]).astype(np.float32, copy=False)
    return lengths
