"""Histograms of oriented gradients (Dalal and Triggs, CVPR 2005), with the numbers of scikit-image's ``hog``.

At each pixel the color channel with the longest gradient counts. It votes with its length for one of 9 directions of
0 to 180 degrees; blocks of 2 x 2 cells, each overlapping its neighbors by half, are normalized by L2-Hys: unit length,
no value above 0.2, unit length again. There is no gamma and no sharing of votes between bins, as in scikit-image.
"""

from __future__ import annotations

from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from visfeat.card import InputSpec
from visfeat.models.classic.describe import Known
from visfeat.models.classic.histograms import cell_of_each_pixel

DIRECTIONS = 9
BLOCK = 2
"""Cells of a block, a side."""
MOST = 0.2
_EPSILON = 1e-5
_REACH = 255
"""A gradient's components lie between -255 and 255, so that tables hold all that there are."""

CELLS = {"hog": 8, "fine": 16, "coarse": 4}
"""Layer -> cells a side, whatever the picture's size."""

INPUT = InputSpec(
    size_px=(128, 128),
    resize_px=128,
    fit="squash",
    interpolation="bilinear",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)


def known() -> Known:
    """The default layer ``hog`` ``(1764,)``, ``fine`` ``(8100,)`` and ``coarse`` ``(324,)``."""
    return Known(
        source="Dalal and Triggs 2005, computed by visfeat.models.classic.hog as scikit-image does",
        input=INPUT,
        layers={name: partial(_of_input, cells=cells) for name, cells in CELLS.items()},
        smallest_px=2 * max(CELLS.values()),
    )


def _of_input(pixels: NDArray[np.uint8], *, cells: int) -> NDArray[np.float32]:
    return hog(pixels[0], cells)


def hog(picture: NDArray[np.uint8], cells: int) -> NDArray[np.float32]:
    """RGB uint8 ``(H, W, 3)`` -> float32 ``((cells - 1)^2 * 36,)``: the blocks, row by row.

    Cells have ``H // cells`` x ``W // cells`` pixels; what is left over at the right and below does not count.
    """
    height, width = picture.shape[0] // cells, picture.shape[1] // cells
    places = _strongest(_gradients(picture))[: height * cells, : width * cells]
    lengths, directions = _tables()
    cell = cell_of_each_pixel(places.shape, (cells, cells)) * DIRECTIONS
    votes = np.bincount(
        (cell + directions[places]).ravel(), lengths[places].ravel(), minlength=cells * cells * DIRECTIONS
    )
    return _normalized(votes.reshape(cells, cells, DIRECTIONS) / (height * width)).astype(np.float32).ravel()


def _gradients(picture: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Where each pixel's gradient stands in the tables, ``(H, W, 3)``: differences of neighbors, none at the edges."""
    values = picture.astype(np.int32)
    down, right = np.zeros_like(values), np.zeros_like(values)
    down[1:-1] = values[2:] - values[:-2]
    right[:, 1:-1] = values[:, 2:] - values[:, :-2]
    return (down + _REACH) * (2 * _REACH + 1) + right + _REACH


def _strongest(places: NDArray[np.int32]) -> NDArray[np.int32]:
    """Of the three channels' gradients the longest, the first of equal ones: ``(H, W)``."""
    lengths, _ = _tables()
    best, length = places[..., 0], lengths[places[..., 0]]
    for channel in (1, 2):
        other = lengths[places[..., channel]]
        longer = other > length
        best, length = np.where(longer, places[..., channel], best), np.where(longer, other, length)
    return best


@cache
def _tables() -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Length and direction 0 to 8 of every gradient with whole numbers from -255 to 255, down before right."""
    down, right = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1].astype(np.float64)
    degrees = np.rad2deg(np.arctan2(down, right)) % 180
    return np.hypot(right, down).ravel(), (degrees // (180 / DIRECTIONS)).astype(np.intp).ravel()


def _normalized(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cells ``(R, C, 9)`` -> blocks ``(R - 1, C - 1, 36)`` after L2-Hys."""
    rows, columns = votes.shape[0] - BLOCK + 1, votes.shape[1] - BLOCK + 1
    parts = [votes[y : y + rows, x : x + columns] for y in range(BLOCK) for x in range(BLOCK)]
    clipped = np.minimum(_unit(np.concatenate(parts, axis=2)), MOST)
    return _unit(clipped)


def _unit(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(blocks / np.sqrt(np.square(blocks).sum(axis=2, keepdims=True) + _EPSILON**2))
