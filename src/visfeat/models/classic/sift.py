"""SIFT descriptors (Lowe, Distinctive Image Features from Scale-Invariant Keypoints, IJCV 2004), OpenCV's.

Taken on a grid, upright, as is best for telling kinds of pictures apart (Fei-Fei and Perona, CVPR 2005; Nowak, Jurie
and Triggs, ECCV 2006), or at the keypoints that are found, as is best for finding the same thing again. Either way each
descriptor becomes a RootSIFT, the square roots of its shares (Arandjelovic and Zisserman, Three Things Everyone Should
Know to Improve Object Retrieval, CVPR 2012), of unit length.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.flow.dis import opencv

Grey = NDArray[np.uint8]
Descriptors = NDArray[np.float32]
"""float32 ``(N, 128)``, of unit length."""

DIMENSIONS = 128
STEP_PX = 8
"""From one point of the grid to the next."""
PATCHES_PX = (16, 32)
"""Sides of what is described around a point: 4 x 4 cells of 4 and of 8 pixels."""
LEAST_CONTRAST = 2.0
"""A patch whose grey values have a smaller standard deviation, of 255, shows nothing and is left out."""
MOST_KEYPOINTS = 500
"""Of more, those of the highest contrast."""
_PX_A_SIZE = 6
"""OpenCV's cells are 1.5 times as wide as a keypoint's ``size``, and there are 4 of them."""


def grid_descriptors(grey: Grey) -> Descriptors:
    """Grey uint8 ``(H, W)`` -> RootSIFT of every patch of the grid that shows something, none of a blank picture."""
    points = [
        point
        for side in PATCHES_PX
        for point, shows in zip(_points(grey.shape, side), _contrast(grey, side) >= LEAST_CONTRAST, strict=True)
        if shows
    ]
    if not points:
        return _nothing()
    _, found = opencv().SIFT_create().compute(grey, points)
    return root_sift(found)


def keypoint_descriptors(grey: Grey) -> Descriptors:
    """Grey uint8 ``(H, W)`` -> RootSIFT of the keypoints found, turned to their main direction; there may be none."""
    _, found = opencv().SIFT_create(nfeatures=MOST_KEYPOINTS).detectAndCompute(grey, None)
    return _nothing() if found is None else root_sift(found)


DESCRIBE: dict[str, Callable[[Grey], Descriptors]] = {"grid": grid_descriptors, "keypoints": keypoint_descriptors}
"""The two ways, which are the layers of every model of SIFT."""


def root_sift(descriptors: NDArray[np.float32]) -> Descriptors:
    """SIFT ``(N, 128)``, never negative, -> the square roots of each one's shares of its sum."""
    sums = np.maximum(descriptors.sum(axis=1, keepdims=True), np.float32(1e-7))
    return np.asarray(np.sqrt(descriptors / sums))


def centers_px(shape: tuple[int, ...], side: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the grid's points whose patches lie inside ``(H, W)`` pixels, point by point."""
    rows, columns = (np.arange(side // 2, size - side // 2 + 1, STEP_PX) for size in shape)
    return np.repeat(rows, len(columns)), np.tile(columns, len(rows))


@lru_cache(maxsize=8)
def _points(shape: tuple[int, ...], side: int) -> tuple[Any, ...]:
    """The grid as OpenCV's keypoints, which are only read."""
    keypoint = opencv().KeyPoint
    rows, columns = centers_px(shape, side)
    return tuple(
        keypoint(x=float(x), y=float(y), size=side / _PX_A_SIZE, angle=0.0, response=0.0, octave=0, class_id=-1)
        for y, x in zip(rows, columns, strict=True)
    )


def _contrast(grey: Grey, side: int) -> NDArray[np.float64]:
    """Standard deviation of the grey values in each patch of the grid, by integral images."""
    sums, squares = opencv().integral2(grey)
    rows, columns = centers_px(grey.shape, side)
    count = side * side
    mean = _inside(sums, rows, columns, side // 2) / count
    variance = _inside(squares, rows, columns, side // 2) / count - mean**2
    return np.sqrt(np.maximum(variance, 0))


def _inside(integral: NDArray[Any], rows: NDArray[np.intp], columns: NDArray[np.intp], half: int) -> NDArray[Any]:
    """The sum over each patch, from half a side before its center to half a side behind it."""
    top, bottom, left, right = rows - half, rows + half, columns - half, columns + half
    part: NDArray[Any] = integral[bottom, right] - integral[top, right] - integral[bottom, left] + integral[top, left]
    return part


def _nothing() -> Descriptors:
    return np.zeros((0, DIMENSIONS), dtype=np.float32)
