"""The perceptual hash by cosine transform, bit by bit that of the package ImageHash for the same 32 x 32 pixels.

Source: Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010.

Bits are +1 and -1, so that the cosine of two hashes is ``1 - distance / 32`` and the squared Euclidean distance four
times the Hamming distance.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from visfeat.card import InputSpec
from visfeat.models.classic.describe import Known
from visfeat.models.classic.grey import grey_of

SIDE = 8
"""Bits a side."""
_DECIMALS = 6
"""Below this a frequency is the rounding of a picture that has none, and counts as 0."""

INPUT = InputSpec(
    size_px=(32, 32),
    resize_px=32,
    fit="squash",
    interpolation="lanczos",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)


def known() -> Known:
    """The one layer ``phash`` ``(64,)``."""
    return Known(
        source="Zauner 2010, computed by visfeat.models.classic.phash with the bits of ImageHash",
        input=INPUT,
        layers={"phash": _of_input},
        smallest_px=SIDE,
    )


def _of_input(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return phash(grey_of(pixels[0]))


def phash(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey uint8 ``(H, W)`` -> float32 ``(64,)`` of +1 and -1.

    +1 where one of the 8 x 8 lowest frequencies of the cosine transform (DCT-II), the mean among them, is above their
    median.
    """
    down, across = _lowest(grey.shape[0]), _lowest(grey.shape[1])
    lowest = np.round(down @ grey.astype(np.float64) @ across.T, _DECIMALS)
    return np.where(lowest > np.median(lowest), np.float32(1), np.float32(-1)).ravel()


@lru_cache(maxsize=8)
def _lowest(size: int) -> NDArray[np.float64]:
    """The lowest rows of the transform, ``(8, size)``: ``2 cos(pi k (2 n + 1) / (2 size))``."""
    frequency, place = np.arange(SIDE)[:, None], np.arange(size)[None, :]
    return np.asarray(2 * np.cos(np.pi * frequency * (2 * place + 1) / (2 * size)))
