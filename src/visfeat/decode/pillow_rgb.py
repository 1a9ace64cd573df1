"""From any mode of a Pillow image to 8-bit RGB: 16 bit scaled, alpha over white."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visfeat.errors import UnsupportedMedia

_ALPHA_MODES = frozenset(("RGBA", "LA", "PA", "RGBa", "La"))
_MAX_16_BIT = 65535


def rgb_of(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of a loaded image, as stored (not turned upright), uint8 ``(H, W, 3)``.

    16-bit grey is scaled with rounding (0 to 65535 becomes 0 to 255); so are 32-bit integers where all lie within
    16 bits, and floats where all lie in [0, 1]. Raises UnsupportedMedia for other samples: no scale is known.
    """
    if image.mode.startswith("I;16"):
        return _grey(_scaled(np.asarray(image)))
    if image.mode == "I":
        return _grey(_scaled(_within(np.asarray(image), _MAX_16_BIT, "32-bit integer")))
    if image.mode == "F":
        samples = _within(np.asarray(image), 1.0, "floating-point")
        return _grey(np.rint(samples * 255.0).astype(np.uint8))
    if image.mode == "LAB":
        raise UnsupportedMedia("pictures in CIE Lab are not read; convert it to RGB")
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        image = _over_white(image)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.uint8)


def _over_white(image: Image.Image) -> Image.Image:
    """The image on a white ground."""
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, rgba)


def _scaled(samples: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """16-bit samples to 8 bit, rounded to nearest."""
    return ((samples.astype(np.uint32) * 255 + _MAX_16_BIT // 2) // _MAX_16_BIT).astype(np.uint8)


def _within(samples: NDArray[Any], top: float, what: str) -> NDArray[Any]:
    """The samples, if all lie in ``[0, top]``."""
    low, high = float(samples.min()), float(samples.max())
    if not (low >= 0 and high <= top):  # also refuses NaN
        raise UnsupportedMedia(
            f"{what} samples from {low:g} to {high:g}: only 0 to {top:g} has a known scale; convert it to 8 or 16 bit"
        )
    return samples


def _grey(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(samples[:, :, None], 3, axis=2)
