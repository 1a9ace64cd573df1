"""What the pixels of a picture say: blur, brightness, clipping, information. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.float32]
"""float32 ``(H, W)``, 0 to 1."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Rec. 601, as Pillow's."""
_BLUR_WIDTH = 11
_LEVELS = 64
_WHITE = 250
_LEAST_PX = 4


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured of a picture.

    blur: 0 sharp to 1; brightness: 0 to 1; white: share of the pixels; information: bits, 0 to 6; aspect: long over
    short side.
    """

    blur: float
    brightness: float
    white: float
    information: float
    aspect: float


def measures(picture: NDArray[np.uint8]) -> Measures:
    """Of a picture uint8 ``(H, W, 3)``."""
    gray: Gray = np.asarray(picture.astype(np.float32) @ _LUMA / 255, np.float32)
    white = float((picture.min(axis=2) >= _WHITE).mean())
    sides = gray.shape
    return Measures(blur(gray), float(gray.mean()), white, information(gray), max(sides) / min(sides))


def blur(gray: Gray) -> float:
    """How little the edges lose by being blurred once more, along the worse axis (Crete et al., SPIE 2007).

    As scikit-image's ``blur_effect``: gradients by Sobel's filter, before and after a mean over 11 pixels. Of a picture
    without any edge, or smaller than 4 px, 0: nothing can be said.
    """
    if min(gray.shape) < _LEAST_PX:
        return 0.0
    return max(_blur_along(gray), _blur_along(gray.T))


def information(gray: Gray) -> float:
    """Shannon's entropy of 64 gray levels, in bits: 0 for one color, 6 where all are equally frequent."""
    levels = np.minimum((gray * _LEVELS).astype(np.int64), _LEVELS - 1)
    share = np.bincount(levels.ravel(), minlength=_LEVELS) / gray.size
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum()) + 0.0


def median(of: list[Measures]) -> Measures:
    """Of the frames of a video: the median of each measure."""
    table = np.array([[one.blur, one.brightness, one.white, one.information, one.aspect] for one in of])
    return Measures(*(float(value) for value in np.median(table, axis=0)))


def _blur_along(gray: Gray) -> float:
    """Along the first axis; the rims, where the filters reach over, are left out."""
    inner = (slice(2, -1), slice(2, -1))
    sharp, blurred = np.abs(_sobel(gray))[inner], np.abs(_sobel(_mean_along(gray)))[inner]
    total = float(sharp.sum())
    if total <= 1e-6 * sharp.size:
        return 0.0
    lost = float(np.maximum(0, sharp - blurred).sum())
    return (total - lost) / total


def _sobel(gray: Gray) -> Gray:
    """The gradient along the first axis, smoothed along the second."""
    padded = np.pad(gray, 1, mode="symmetric")
    along = (padded[2:] - padded[:-2]) / 2
    return np.asarray((along[:, :-2] + 2 * along[:, 1:-1] + along[:, 2:]) / 4, np.float32)


def _mean_along(gray: Gray) -> Gray:
    """The mean of 11 pixels along the first axis."""
    half = _BLUR_WIDTH // 2
    padded = np.pad(gray, ((half + 1, half), (0, 0)), mode="symmetric")
    sums = np.cumsum(padded, axis=0, dtype=np.float64)
    return np.asarray((sums[_BLUR_WIDTH:] - sums[:-_BLUR_WIDTH]) / _BLUR_WIDTH, np.float32)
