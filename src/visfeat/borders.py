"""Borders of one color around a picture: the bars of a letterbox, the margin of a page."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SPREAD, AWAY = 5.0, 10.0
"""A line belongs to the border where its values spread by at most this, and lie at most that far from the edge's."""
LEAST_LEFT = 0.4
"""That part of height and width stays at least; what would leave less is a dark picture and no border."""
_LINES_READ = 256


def without_border(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture ``(H, W, 3)`` without rows and columns of one color at its edges; a view of it.

    A side is cut only as long as enough of the picture stays; compression noise in the border does not count.
    """
    top, bottom = _inside(picture)
    left, right = _inside(picture[top:bottom].swapaxes(0, 1))
    return picture[top:bottom, left:right]


def _inside(picture: NDArray[np.uint8]) -> tuple[int, int]:
    """The first row that is no border, and the one after the last."""
    read = picture[:, :: max(1, picture.shape[1] // _LINES_READ)].astype(np.float32)
    mean, spread = read.mean(axis=1), read.std(axis=1).max(axis=1)
    first = _border(mean, spread)
    last = _border(mean[::-1], spread[::-1])
    height = len(picture)
    return (first, height - last) if height - first - last >= LEAST_LEFT * height else (0, height)


def _border(mean: NDArray[Any], spread: NDArray[Any]) -> int:
    """How many rows from the first on are of one color, and of the first one's; a blurred edge may be one more."""
    is_border = (spread <= SPREAD) & (np.abs(mean - mean[0]).max(axis=1) <= AWAY)
    return len(is_border) if is_border.all() else int(is_border.argmin())
