"""Heat over pictures: maps of a few places, scaled up smoothly and laid over what was looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Heat = NDArray[np.float32]
"""``(T, H, W)``, not negative."""

COLORS = "turbo"
_LEAST, _MOST = 0.15, 0.65
"""How much of the color lies over a picture where there is no heat, and where there is most."""


def scaled_up(heat: NDArray[np.floating[Any]], shape: tuple[int, int, int]) -> Heat:
    """A map ``(t, h, w)`` in another shape ``(T, H, W)``: linear between the middles of its cells, constant beyond."""
    values = heat.astype(np.float32)
    for axis, length in enumerate(shape):
        own = values.shape[axis]
        if own == length:
            continue
        position = np.clip((np.arange(length) + 0.5) * own / length - 0.5, 0, own - 1)
        before = np.floor(position).astype(np.intp)
        after = np.minimum(before + 1, own - 1)
        share = (position - before).astype(np.float32).reshape([-1 if n == axis else 1 for n in range(3)])
        values = np.take(values, before, axis) * (1 - share) + np.take(values, after, axis) * share
    return values


def heated(pictures: NDArray[np.uint8], heat: NDArray[np.floating[Any]], *, low: float = 0.0) -> NDArray[np.uint8]:
    """Pictures uint8 ``(T, H, W, 3)`` under a map ``(t, h, w)``: blue is ``low`` or less, red the largest value.

    Returns uint8 of the same shape.
    """
    from matplotlib import colormaps

    values = scaled_up(np.maximum(heat - low, 0), (len(pictures), *pictures.shape[1:3]))
    largest = float(values.max())
    share = values / largest if largest > 0 else values
    colors = colormaps[COLORS](share)[..., :3] * 255
    weight = (_LEAST + (_MOST - _LEAST) * share)[..., None]
    # The picture keeps its light and dark under the colors.
    mixed: NDArray[np.uint8] = np.round(pictures * (1 - weight) + colors * weight).astype(np.uint8)
    return mixed
