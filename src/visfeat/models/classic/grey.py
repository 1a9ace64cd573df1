"""Grey pictures: the same shades as Pillow's mode L."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_RED, _GREEN, _BLUE, _HALF = 19595, 38470, 7471, 0x8000
"""The weights of ITU-R BT.601 in 65536ths, and what rounds to the nearest."""


def grey_of(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB uint8 ``(H, W, 3)`` -> uint8 ``(H, W)``, bit by bit what ``Image.convert("L")`` gives.

    >>> grey_of(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)).tolist()
    [[76, 150, 29]]
    """
    red, green, blue = (picture[..., channel].astype(np.uint32) for channel in range(3))
    return ((red * _RED + green * _GREEN + blue * _BLUE + _HALF) >> 16).astype(np.uint8)
