"""Preprocessing: frames -> the uint8 picture that the network is fed with.

Normalization by mean and std happens inside the network's graph, so the input stays uint8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visfeat.borders import without_border
from visfeat.card import InputSpec
from visfeat.errors import BrokenMedia
from visfeat.flow.field import FlowEstimator
from visfeat.frames import FrameBatch
from visfeat.resize import (
    FAST_RADIUS_PX,
    HAS_FAST_RESIZER,
    Geometry,
    Picture,
    resize_fast,
    resize_plain,
    resize_reference,
)
from visfeat.views import cut_views, views_of

Method = Literal["fast", "reference"]

REDUCTION_MARGIN = 4
"""A JPEG may be decoded at reduced size while its short side stays this many times the resized one."""


@dataclass(frozen=True)
class Preprocessor:
    """Turns frames into model input: trim, mirror, cut out ``crop``, resize, cut or pad to the input's size."""

    spec: InputSpec
    crop: tuple[float, float, float, float] | None = None
    method: Method = "fast"
    crops: int | None = None
    """How many views of a picture the network sees (``visfeat.views``); None is the center alone."""
    trim: bool = False
    """Whether borders of one color are cut off first."""
    mirror: bool = False
    """Whether left and right are exchanged then."""
    flow: FlowEstimator | None = None
    """How flow is estimated for a network that sees it; ``extraction.flow`` does so from one frame to the next."""

    @property
    def views(self) -> int:
        """How many pictures the network is fed with for one."""
        return self.crops or 1

    @property
    def reducible_to_px(self) -> int | None:
        """How small a JPEG's short side may be decoded (see DecodeOptions), None where only full size will do."""
        if self.method == "reference" or self.crop is not None or not self.spec.antialias:
            return None
        return REDUCTION_MARGIN * max(self.spec.resize_px, *self.spec.size_px, *(self.spec.resize_to_px or ()))

    def __call__(self, batch: FrameBatch) -> NDArray[np.uint8]:
        """Model input uint8 ``(N * V, T, height, width, 3)``, the V views of a clip one after the other.

        Raises BrokenMedia where the crop misses the picture.
        """
        clips, frames = batch.data.shape[:2]
        out = np.empty((clips, self.views, frames, *self.spec.size_px, 3), dtype=np.uint8)
        for n in range(clips):
            for t in range(frames):
                out[n, :, t] = self.pictures(batch.data[n, t])
        return out.reshape(-1, *out.shape[2:])

    def pictures(self, picture: Picture) -> NDArray[np.uint8]:
        """The views of an upright RGB picture uint8 ``(H, W, 3)``, resized once: uint8 ``(V, height, width, 3)``."""
        if self.crops is None:
            return self.picture(picture)[None]
        picture = self.looked_at(picture)
        geometry = Geometry.of(picture.shape[0], picture.shape[1], self.spec)
        height, width = geometry.resized_height, geometry.resized_width
        resized = self._resized(picture, Geometry(height, width, 0, 0, height, width))
        return cut_views(resized, views_of(self.crops, height, width, self.spec.size_px), self.spec.size_px)

    def picture(self, picture: Picture) -> Picture:
        """One upright RGB picture uint8 ``(H, W, 3)`` -> its center view, uint8 ``(height, width, 3)``."""
        picture = self.looked_at(picture)
        geometry = Geometry.of(picture.shape[0], picture.shape[1], self.spec)
        reaches_over = geometry.top < 0 or geometry.left < 0
        return self._padded(picture, geometry) if reaches_over else self._resized(picture, geometry)

    def looked_at(self, picture: Picture) -> Picture:
        """The part of an upright picture that counts: trimmed, mirrored and cut out as asked."""
        if self.trim:
            picture = np.ascontiguousarray(without_border(picture))
        if self.mirror:
            picture = np.ascontiguousarray(picture[:, ::-1])
        return picture if self.crop is None else cut(picture, self.crop)

    def _resized(self, picture: Picture, geometry: Geometry) -> Picture:
        """The window of the resized picture, in the way that the method and the input say."""
        if not self.spec.antialias:
            return resize_plain(picture, geometry)
        if self.method == "fast" and HAS_FAST_RESIZER and self.spec.interpolation in FAST_RADIUS_PX:
            return resize_fast(picture, geometry, self.spec.interpolation)
        return resize_reference(picture, geometry, self.spec.interpolation)

    def _padded(self, picture: Picture, geometry: Geometry) -> Picture:
        """The window where it reaches over the resized picture: the rest is filled with the mean color."""
        whole = Geometry(
            geometry.resized_height, geometry.resized_width, 0, 0, geometry.resized_height, geometry.resized_width
        )
        inner = Preprocessor(
            self.spec.model_copy(update={"size_px": (whole.height, whole.width), "fit": "squash"}), method=self.method
        ).picture(picture)
        out = np.empty((geometry.height, geometry.width, 3), dtype=np.uint8)
        out[:] = np.round(np.array(self.spec.mean) * 255).astype(np.uint8)
        source_top, source_left = max(0, geometry.top), max(0, geometry.left)
        top, left = max(0, -geometry.top), max(0, -geometry.left)
        height = min(geometry.height - top, whole.height - source_top)
        width = min(geometry.width - left, whole.width - source_left)
        part = inner[source_top : source_top + height, source_left : source_left + width]
        out[top : top + height, left : left + width] = part
        return out


def cut(picture: Picture, crop: tuple[float, float, float, float]) -> Picture:
    """The part x, y, width, height of a picture: in pixels, or in fractions of it where all four are <= 1.

    Raises BrokenMedia where nothing of it lies inside the picture.
    """
    height, width = picture.shape[:2]
    unit = (width, height, width, height) if max(crop) <= 1 else (1, 1, 1, 1)
    x, y, w, h = (value * size for value, size in zip(crop, unit, strict=True))
    part = picture[round(y) : round(y + h), round(x) : round(x + w)]
    if part.size == 0:
        raise BrokenMedia(f"the crop {','.join(f'{value:g}' for value in crop)} lies outside of {width} x {height} px")
    return np.ascontiguousarray(part)
