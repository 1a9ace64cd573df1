"""Resizing: from a picture to the window of its resized form that a network is fed with.

Three ways: ``resize_reference`` is Pillow, pixel for pixel what torchvision's and timm's own transforms do with a PIL
image; ``resize_fast`` does the same convolution with SIMD, only for the part that the crop keeps, and rounds its kernel
to fewer bits, so that mostly a few of a thousand values differ, by 1 of 255, seldom by more; ``resize_plain`` takes
two pixels a side however small the picture becomes, as the video networks of torchvision were trained.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visfeat.card import InputSpec

Picture = NDArray[np.uint8]
"""uint8 ``(H, W, 3)``."""

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

FAST_RADIUS_PX = {"bilinear": 1.0, "bicubic": 2.0, "lanczos": 3.0, "box": 0.5}
"""Interpolations that the SIMD resizer has too, with the radius of their kernels in pixels of the result."""


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
        elif spec.resize_to_px is not None:
            resized = spec.resize_to_px
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


def resize_reference(picture: Picture, geometry: Geometry, interpolation: str) -> Picture:
    """Resize the whole picture with Pillow, then cut out the window."""
    size = (geometry.resized_width, geometry.resized_height)
    resized = np.asarray(Image.fromarray(picture).resize(size, _PILLOW[interpolation]))
    rows = slice(geometry.top, geometry.top + geometry.height)
    return np.ascontiguousarray(resized[rows, geometry.left : geometry.left + geometry.width])


def resize_fast(picture: Picture, geometry: Geometry, interpolation: str) -> Picture:
    """Resize just the window, first its width, then its height (Pillow's order), with SIMD and without the GIL.

    Rows that no kernel reaches are left out; pixels beside the window count where a kernel reaches them.
    """
    from cykooz_resizer import CropBox  # not on every platform

    height, width = picture.shape[:2]
    scale_x, scale_y = width / geometry.resized_width, height / geometry.resized_height
    reach = FAST_RADIUS_PX[interpolation] * max(1.0, scale_y) + 1
    first = max(0, math.floor(geometry.top * scale_y - reach))
    last = min(height, math.ceil((geometry.top + geometry.height) * scale_y + reach))
    rows = picture[first:last]
    # Rounding may lay the far edge a hair outside, which the resizer refuses.
    left, top = geometry.left * scale_x, geometry.top * scale_y - first
    box = CropBox(left, 0.0, min(geometry.width * scale_x, width - left), last - first)
    narrow = _convolve(rows, box, geometry.width, last - first, interpolation)
    box = CropBox(0.0, top, geometry.width, min(geometry.height * scale_y, last - first - top))
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


def resize_plain(picture: Picture, geometry: Geometry) -> Picture:
    """Bilinear between the two nearest pixels of each axis, without a wider kernel for smaller pictures.

    Pixel centers as in torch's ``interpolate(mode="bilinear", align_corners=False)``, rounded half to even as there.
    """
    top, below, down = _neighbors(picture.shape[0], geometry.resized_height, geometry.top, geometry.height)
    left, beside, right = _neighbors(picture.shape[1], geometry.resized_width, geometry.left, geometry.width)
    down, right = down[:, None, None], right[None, :, None]
    upper, lower = picture[top].astype(np.float32), picture[below].astype(np.float32)
    above = upper[:, left] * (1 - right) + upper[:, beside] * right
    under = lower[:, left] * (1 - right) + lower[:, beside] * right
    return np.rint(above * (1 - down) + under * down).astype(np.uint8)


def _neighbors(
    size: int, resized: int, first: int, count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For ``count`` resized pixels from ``first`` on: the two source pixels around each, and the second one's share."""
    position = (np.arange(first, first + count, dtype=np.float32) + 0.5) * np.float32(size / resized) - 0.5
    position = np.clip(position, 0, size - 1)
    before = np.floor(position).astype(np.intp)
    return before, np.minimum(before + 1, size - 1), position - before.astype(np.float32)
