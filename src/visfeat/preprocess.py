"""Preprocessing: frames -> the uint8 picture that the network is fed with.

Normalization by mean and std happens inside the network's graph, so the input stays uint8. There are two ways to
resize: ``reference`` is Pillow, pixel for pixel what torchvision's and timm's own transforms do with a PIL image;
``fast`` does the same convolution with SIMD, only for the part that the crop keeps; it rounds its kernel to fewer bits,
so that mostly a few of a thousand values differ, by 1 of 255, seldom by more.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visfeat.card import InputSpec
from visfeat.errors import BrokenMedia
from visfeat.frames import FrameBatch

Picture = NDArray[np.uint8]
"""uint8 ``(H, W, 3)``."""

Method = Literal["fast", "reference"]

_PILLOW = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
HAS_FAST_RESIZER = importlib.util.find_spec("cykooz_resizer") is not None
"""The SIMD resizer has no wheel for Linux on aarch64; there Pillow does all resizing."""

REDUCTION_MARGIN = 4
"""A JPEG may be decoded at reduced size while its short side stays this many times the resized one."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """From a picture to the network's input: its resized size, and the window of it that is kept.

    The window may reach over the edge (``fit = "pad"``): what is outside gets the mean color.
    """

    resized_height: int
    resized_width: int
    top: int
    left: int
    height: int
    width: int

    @classmethod
    def of(cls, height: int, width: int, spec: InputSpec) -> Geometry:
        """The geometry for a picture of that size, rounded as torchvision's Resize and CenterCrop do."""
        out_height, out_width = spec.size_px
        if spec.fit == "squash":
            return cls(out_height, out_width, 0, 0, out_height, out_width)
        if spec.fit == "pad":
            scale = min(out_height / height, out_width / width)
            resized = (max(1, round(height * scale)), max(1, round(width * scale)))
        else:
            resized = _covering(height, width, spec)
        top, left = round((resized[0] - out_height) / 2.0), round((resized[1] - out_width) / 2.0)
        return cls(*resized, top, left, out_height, out_width)


def _covering(height: int, width: int, spec: InputSpec) -> tuple[int, int]:
    """Height and width resized so that both cover the input, the short side of a square one at ``resize_px``."""
    out_height, out_width = spec.size_px
    if out_height == out_width:
        short, long = min(height, width), max(height, width)
        resized_long = spec.resize_px * long // short
        return (resized_long, spec.resize_px) if width <= height else (spec.resize_px, resized_long)
    scale = max(out_height / height, out_width / width) * spec.resize_px / min(spec.size_px)
    return max(out_height, round(height * scale)), max(out_width, round(width * scale))


@dataclass(frozen=True)
class Preprocessor:
    """Turns frames into model input: cut out ``crop``, resize, cut or pad to the input's size."""

    spec: InputSpec
    crop: tuple[float, float, float, float] | None = None
    method: Method = "fast"

    @property
    def reducible_to_px(self) -> int | None:
        """How small a JPEG's short side may be decoded (see DecodeOptions), None where only full size will do."""
        if self.method == "reference" or self.crop is not None:
            return None
        return REDUCTION_MARGIN * max(self.spec.resize_px, *self.spec.size_px)

    def __call__(self, batch: FrameBatch) -> NDArray[np.uint8]:
        """Model input uint8 ``(N, T, height, width, 3)``; raises BrokenMedia where the crop misses the picture."""
        clips, frames = batch.data.shape[:2]
        out = np.empty((clips, frames, *self.spec.size_px, 3), dtype=np.uint8)
        for n in range(clips):
            for t in range(frames):
                out[n, t] = self.picture(batch.data[n, t])
        return out

    def picture(self, picture: Picture) -> Picture:
        """One upright RGB picture uint8 ``(H, W, 3)`` -> uint8 ``(height, width, 3)``."""
        if self.crop is not None:
            picture = cut(picture, self.crop)
        geometry = Geometry.of(picture.shape[0], picture.shape[1], self.spec)
        reaches_over = geometry.top < 0 or geometry.left < 0
        if reaches_over:
            return self._padded(picture, geometry)
        if self.method == "fast" and HAS_FAST_RESIZER and self.spec.interpolation in _fast_filters():
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


def resize_reference(picture: Picture, geometry: Geometry, interpolation: str) -> Picture:
    """Resize the whole picture with Pillow, then cut out the window."""
    size = (geometry.resized_width, geometry.resized_height)
    resized = np.asarray(Image.fromarray(picture).resize(size, _PILLOW[interpolation]))
    rows = slice(geometry.top, geometry.top + geometry.height)
    return np.ascontiguousarray(resized[rows, geometry.left : geometry.left + geometry.width])


def _fast_filters() -> dict[str, float]:
    """Interpolations that the SIMD resizer has too, with the radius of their kernels in pixels of the result."""
    return {"bilinear": 1.0, "bicubic": 2.0, "lanczos": 3.0, "box": 0.5}


def resize_fast(picture: Picture, geometry: Geometry, interpolation: str) -> Picture:
    """Resize just the window, first its width, then its height (Pillow's order), with SIMD and without the GIL.

    Rows that no kernel reaches are left out; pixels beside the window count where a kernel reaches them.
    """
    from cykooz_resizer import CropBox  # not on every platform

    height, width = picture.shape[:2]
    scale_x, scale_y = width / geometry.resized_width, height / geometry.resized_height
    reach = _fast_filters()[interpolation] * max(1.0, scale_y) + 1
    first = max(0, math.floor(geometry.top * scale_y - reach))
    last = min(height, math.ceil((geometry.top + geometry.height) * scale_y + reach))
    rows = picture[first:last]
    box = CropBox(geometry.left * scale_x, 0.0, geometry.width * scale_x, last - first)
    narrow = _convolve(rows, box, geometry.width, last - first, interpolation)
    box = CropBox(0.0, geometry.top * scale_y - first, geometry.width, geometry.height * scale_y)
    return _convolve(narrow, box, geometry.width, geometry.height, interpolation)


def _convolve(picture: Picture, box: object, width: int, height: int, interpolation: str) -> Picture:
    """One pass of the SIMD resizer over the part ``box`` of a picture."""
    from cykooz_resizer import FilterType, ImageData, PixelType, ResizeAlg, ResizeOptions, Resizer

    kernel = {
        "bilinear": FilterType.bilinear,
        "bicubic": FilterType.catmull_rom,
        "lanczos": FilterType.lanczos3,
        "box": FilterType.box,
    }[interpolation]
    options = ResizeOptions(ResizeAlg.convolution(kernel), use_alpha=False, crop_box=box)
    source = ImageData(picture.shape[1], picture.shape[0], PixelType.U8x3, picture.tobytes())
    target = ImageData(width, height, PixelType.U8x3)
    Resizer().resize(source, target, options)
    return np.frombuffer(target.get_buffer(), dtype=np.uint8).reshape(height, width, 3)
