"""Color histograms (Swain and Ballard, Color Indexing, IJCV 1991), of the whole picture and of a grid of cells.

HSV has the 166 bins of Smith and Chang (VisualSEEk, ACM Multimedia 1996): 18 hues x 3 saturations x 3 values, and 4
greys. L*a*b* has 4 x 8 x 8: lightness, and the two axes of color in steps of 16 around grey, the outermost open.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from visfeat.card import InputSpec
from visfeat.flow.dis import opencv
from visfeat.models.classic.describe import Known
from visfeat.models.classic.histograms import counts_by_cell, root_shares

Picture = NDArray[np.uint8]

CELLS = (3, 3)
"""Rows and columns of the layers of a grid."""
HSV_BINS, LAB_BINS = 18 * 3 * 3 + 4, 4 * 8 * 8
LEAST_COLOR = 26
"""Saturation or value below a tenth of 255 is grey: there a hue says nothing."""

INPUT = InputSpec(
    size_px=(128, 128),
    resize_px=128,
    fit="squash",
    interpolation="bilinear",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)


def known() -> Known:
    """The default layer ``hsv`` ``(166,)``, ``hsv_grid`` ``(1494,)``, ``lab`` ``(256,)``, ``lab_grid`` ``(2304,)``."""
    return Known(
        source="Swain and Ballard 1991, Smith and Chang 1996, computed by visfeat.models.classic.color_histogram",
        input=INPUT,
        layers={
            "hsv": partial(_histogram, codes_of=hsv_codes, bins=HSV_BINS, cells=(1, 1)),
            "hsv_grid": partial(_histogram, codes_of=hsv_codes, bins=HSV_BINS, cells=CELLS),
            "lab": partial(_histogram, codes_of=lab_codes, bins=LAB_BINS, cells=(1, 1)),
            "lab_grid": partial(_histogram, codes_of=lab_codes, bins=LAB_BINS, cells=CELLS),
        },
        smallest_px=max(CELLS),
    )


def _histogram(
    pixels: Picture, *, codes_of: Callable[[Picture], NDArray[np.intp]], bins: int, cells: tuple[int, int]
) -> NDArray[np.float32]:
    """One input -> float32 ``(cells * bins,)`` of unit length: the square roots of each cell's shares."""
    return root_shares(counts_by_cell(codes_of(pixels[0]), bins, cells))


def hsv_codes(picture: Picture) -> NDArray[np.intp]:
    """RGB uint8 ``(H, W, 3)`` -> codes ``(H, W)``: ``hue * 9 + saturation * 3 + value``, from 162 on four greys.

    Hues begin with red, each 20 degrees wide; saturation and value from 26 to 255 are cut in three.
    """
    cv2 = opencv()
    hue, saturation, value = (
        channel.astype(np.intp) for channel in cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV))
    )
    colored = (hue * 18 // 180) * 9 + _third(saturation) * 3 + _third(value)
    grey = (saturation < LEAST_COLOR) | (value < LEAST_COLOR)
    return np.asarray(np.where(grey, 18 * 9 + value * 4 // 256, colored))


def _third(channel: NDArray[np.intp]) -> NDArray[np.intp]:
    return (channel - LEAST_COLOR) * 3 // (256 - LEAST_COLOR)


def lab_codes(picture: Picture) -> NDArray[np.intp]:
    """RGB uint8 ``(H, W, 3)`` -> codes ``(H, W)``: ``lightness * 64 + a * 8 + b``."""
    cv2 = opencv()
    lightness, a, b = (channel.astype(np.intp) for channel in cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)))
    return np.asarray(lightness * 4 // 256 * 64 + _step(a) * 8 + _step(b))


def _step(axis: NDArray[np.intp]) -> NDArray[np.intp]:
    """Steps of 16 around OpenCV's 128, which is grey, as 0 to 7."""
    return np.clip((axis - 128) // 16 + 4, 0, 7)
