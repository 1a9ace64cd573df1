"""Views: several windows of one picture, each of which the network sees; their features are averaged or kept apart.

``3``: along the longer side, at the ends and in the middle, each as large as the short side allows (the spatial crops
of video evaluation: Feichtenhofer, Fan, Malik and He, "SlowFast Networks", ICCV 2019). ``5``: the four corners and the
center of what a center crop would be cut out of; ``10``: those, then the same five of the mirrored picture (Krizhevsky,
Sutskever and Hinton, NIPS 2012), in the order of torchvision's ``FiveCrop`` and ``TenCrop``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visfeat.card import InputSpec
from visfeat.errors import UsageError


@dataclass(frozen=True, slots=True)
class View:
    """A window of a resized picture from ``top`` and ``left`` in pixels; ``mirrored``: of its mirror image."""

    top: int
    left: int
    mirrored: bool = False


def views_of(crops: int, height: int, width: int, size_px: tuple[int, int]) -> tuple[View, ...]:
    """The views of a resized picture that is at least as high and as wide as ``size_px``.

    Where it is no larger, windows lie on one another: of a square picture all three are the same.
    """
    last_top, last_left = height - size_px[0], width - size_px[1]
    middle = View(round(last_top / 2.0), round(last_left / 2.0))
    if crops == 3:
        if last_left >= last_top:
            return View(middle.top, 0), middle, View(middle.top, last_left)
        return View(0, middle.left), middle, View(last_top, middle.left)
    five = (View(0, 0), View(0, last_left), View(last_top, 0), View(last_top, last_left), middle)
    if crops == 5:
        return five
    return five + tuple(View(view.top, view.left, mirrored=True) for view in five)


def cut_views(picture: NDArray[np.uint8], views: tuple[View, ...], size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """Cut a resized picture uint8 ``(H, W, 3)`` into its views ``(V, height, width, 3)``."""
    height, width = size_px
    mirror = picture[:, ::-1]
    return np.stack(
        [
            (mirror if view.mirrored else picture)[view.top : view.top + height, view.left : view.left + width]
            for view in views
        ]
    )


def with_views(spec: InputSpec, crops: int | None) -> InputSpec:
    """The input as the views want it: for three of them the short side becomes that of the network's input.

    Raises UsageError where a picture is not cut out of a larger one, so that there is only one view of it.
    """
    if crops is None:
        return spec
    if spec.fit != "crop":
        raise UsageError(f"--crops {crops}: with --fit {spec.fit} the network sees the whole picture; say --fit crop")
    if crops == 3:
        return spec.model_copy(update={"resize_px": min(spec.size_px), "resize_to_px": None})
    (height, width), resized = spec.size_px, spec.resize_to_px or (spec.resize_px, spec.resize_px)
    covers = resized[0] >= height and resized[1] >= width if spec.resize_to_px else spec.resize_px >= min(height, width)
    if not covers:
        raise UsageError(f"--crops {crops}: pictures are resized to {resized}, less than the input's {spec.size_px} px")
    return spec


def whole_rows(batch_size: int, multiple: int) -> int:
    """The batch size, raised to a multiple, so that no row's views are in two batches."""
    return -(-batch_size // multiple) * multiple
