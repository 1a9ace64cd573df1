"""Local binary patterns (Ojala, Pietikainen and Maenpaa, TPAMI 2002), with the codes of scikit-image.

Each pixel is compared with P points on a circle of radius R around it, bilinear between pixels: a point at least as
bright is a 1. A pattern is uniform where its ring changes at most twice between 0 and 1. Pixels whose circle leaves the
picture are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from visfeat.card import InputSpec
from visfeat.models.classic.describe import Known
from visfeat.models.classic.grey import grey_of
from visfeat.models.classic.histograms import counts_by_cell, root_shares

SCALES = ((8, 1), (16, 2), (24, 3))
"""Points and radius in pixels, the paper's three."""
CELLS = (4, 4)
"""Rows and columns of the layer ``grid``."""
UNIFORM_CODES = 59
"""Of 8 points there are 58 uniform patterns; the last code is for all others."""

INPUT = InputSpec(
    size_px=(256, 256),
    resize_px=256,
    fit="squash",
    interpolation="bilinear",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)


def known() -> Known:
    """The default layer ``lbp`` ``(54,)`` and ``grid`` ``(944,)``."""
    return Known(
        source="Ojala et al. 2002, computed by visfeat.models.classic.lbp with the codes of scikit-image",
        input=INPUT,
        layers={"lbp": _rotation_invariant, "grid": _by_cell},
        smallest_px=16,
    )


def _rotation_invariant(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """One input -> float32 ``(54,)`` of unit length: root shares of the codes of 8, 16 and 24 points."""
    grey = grey_of(pixels[0])
    counts = [np.bincount(codes_riu2(grey, *scale).ravel(), minlength=scale[0] + 2) for scale in SCALES]
    parts = [root_shares(each[None]) for each in counts]
    return np.concatenate(parts) / np.float32(math.sqrt(len(SCALES)))


def _by_cell(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """One input -> float32 ``(944,)`` of unit length: root shares of the 59 codes in each of 4 x 4 cells."""
    return root_shares(counts_by_cell(codes_u2(grey_of(pixels[0])), UNIFORM_CODES, CELLS))


def codes_riu2(grey: NDArray[np.uint8], points: int, radius: int) -> NDArray[np.intp]:
    """Codes 0 to ``points`` + 1 of all but the ``radius`` outermost pixels a side: the paper's LBP^riu2.

    A uniform pattern's code is its number of ones, so that it stays when the picture turns; all others share the last.
    """
    bits = np.stack(list(_ring(grey, points, radius))).view(np.uint8)
    ones = bits.sum(axis=0, dtype=np.uint8)
    changes = (bits != np.roll(bits, 1, axis=0)).sum(axis=0, dtype=np.uint8)
    return np.where(changes <= 2, ones, np.uint8(points + 1)).astype(np.intp)


def codes_u2(grey: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Codes 0 to 58 of all but the outermost pixels: the paper's LBP^u2 of 8 points at a distance of 1."""
    bits = np.stack(list(_ring(grey, 8, 1)), axis=-1)
    return _uniform_table()[np.packbits(bits, axis=-1, bitorder="little")[..., 0]]


def _ring(grey: NDArray[np.uint8], points: int, radius: int) -> Iterator[NDArray[np.bool_]]:
    """Whether each of the circle's points is as bright as its center, from the right on, against the clock."""
    values = grey.astype(np.float64)
    height, width = values.shape
    center = values[radius : height - radius, radius : width - radius]
    for point in range(points):
        angle = 2 * math.pi * point / points
        # Five decimals, as in scikit-image: else a quarter of a circle would end beside its pixel.
        down, right = round(-radius * math.sin(angle), 5), round(radius * math.cos(angle), 5)
        yield _between(values, radius, down, right) >= center


def _between(values: NDArray[np.float64], margin: int, down: float, right: float) -> NDArray[np.float64]:
    """The picture moved by a fraction of pixels, bilinear, without ``margin`` pixels a side."""
    height, width = values.shape
    top, left = margin + math.floor(down), margin + math.floor(right)
    rows, columns = height - 2 * margin, width - 2 * margin
    if down.is_integer() and right.is_integer():
        return values[top : top + rows, left : left + columns]
    # The shares of each row and column by its own rounding: next to ties the last bit decides.
    share_down = np.arange(margin, height - margin) + down
    share_right = np.arange(margin, width - margin) + right
    share_down, share_right = share_down - np.floor(share_down), share_right - np.floor(share_right)
    across = values[top : top + rows + 1, left : left + columns] * (1 - share_right)
    if not right.is_integer():
        across += values[top : top + rows + 1, left + 1 : left + columns + 1] * share_right
    if down.is_integer():
        return across[:rows]
    return np.asarray(across[:-1] * (1 - share_down)[:, None] + across[1:] * share_down[:, None])


@cache
def _uniform_table() -> NDArray[np.intp]:
    """Pattern of 8 bits -> code: by the number of ones, then by where they begin, as scikit-image counts."""
    codes = np.full(256, UNIFORM_CODES - 1, dtype=np.intp)
    codes[0], codes[255] = 0, UNIFORM_CODES - 2
    for ones in range(1, 8):
        for turned in range(8):
            # ``turned`` is how far the run of ones lies before the ring's last place.
            places = [(8 - turned + n) % 8 for n in range(ones)]
            codes[sum(1 << place for place in places)] = 1 + (ones - 1) * 8 + turned
    return codes
