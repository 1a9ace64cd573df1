"""Flow as colors: the direction is the hue, the length the saturation.

After Baker, Scharstein, Lewis, Roth, Black and Szeliski, "A Database and Evaluation Methodology for Optical Flow" (ICCV
2007, IJCV 2011).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from visfeat.flow.field import Flow, Picture, magnitude_px

_ARCS = (15, 6, 4, 11, 13, 6)
"""So many colors lie from red to yellow, green, cyan, blue, magenta and back to red: as the eye tells them apart."""
_CORNERS = ((1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0))
_TOO_LONG = 0.75
"""How bright a vector is drawn that is longer than the scale."""


@lru_cache(maxsize=1)
def wheel() -> NDArray[np.float64]:
    """The colors of the wheel, float64 ``(55, 3)`` from 0 to 1; the first one, red, is motion to the right."""
    arcs = [
        np.array(start) + np.arange(count)[:, None] / count * (np.array(end) - np.array(start))
        for start, end, count in zip(_CORNERS[:-1], _CORNERS[1:], _ARCS, strict=True)
    ]
    return np.concatenate(arcs)


def colored(flow: Flow, *, longest_px: float | None = None) -> Picture:
    """Flow ``(H, W, 2)`` as uint8 ``(H, W, 3)``: white is no motion, full color a vector of ``longest_px``.

    ``longest_px``: None for the longest vector of the field; longer ones are darkened.
    """
    lengths = magnitude_px(flow).astype(np.float64)
    scale = float(lengths.max(initial=0.0)) if longest_px is None else longest_px
    share = (lengths / scale if scale > 0 else lengths)[..., None]
    colors = wheel()
    position = (np.arctan2(-flow[..., 1], -flow[..., 0]) / np.pi + 1) / 2 * (len(colors) - 1)
    before = np.floor(position).astype(np.intp)
    part = (position - before)[..., None]
    hue = (1 - part) * colors[before] + part * colors[(before + 1) % len(colors)]
    shown = np.where(share <= 1, 1 - share * (1 - hue), hue * _TOO_LONG)
    picture: Picture = np.floor(255 * shown).astype(np.uint8)
    return picture


def legend(size_px: int) -> Picture:
    """The wheel itself, uint8 ``(size, size, 3)``: each direction in its color, on white."""
    middle = (size_px - 1) / 2
    y, x = np.mgrid[0:size_px, 0:size_px].astype(np.float32) - middle
    flow = np.stack([x, y], axis=2) / middle
    inside = magnitude_px(flow) <= 1
    return np.where(inside[..., None], colored(flow.astype(np.float32), longest_px=1.0), np.uint8(255)).astype(np.uint8)
