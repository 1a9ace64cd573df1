"""Random changes of training pictures, with torchvision's own functions; all frames of a clip change alike.

What is drawn for a sample depends on the seed, the epoch and the sample alone, not on batches, threads or what was
drawn before: so a training that goes on after an interruption sees what it would have seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode, functional

from visfeat.errors import UsageError

Random = np.random.Generator
Change = Callable[[Tensor, Random], Any]
"""Takes a clip uint8 ``(T, 3, H, W)`` and returns one of the same shape."""

v2: Any = functional
_ASPECTS = (3 / 4, 4 / 3)


def parse_augmentations(words: Sequence[str]) -> list[Change]:
    """``flip``, ``shift:1``, ... as functions, in that order; raises UsageError that names what there is."""
    changes: list[Change] = []
    for word in words:
        name, colon, text = word.strip().partition(":")
        if name not in _CHANGES:
            raise UsageError(f"--augment {word}: there are {', '.join(_CHANGES)}")
        make, default, low, high = _CHANGES[name]
        try:
            amount = float(text) if colon else default
        except ValueError:
            amount = math.nan
        if not low <= amount <= high:
            raise UsageError(f"--augment {word}: a number from {low:g} to {high:g}, as in {name}:{default:g}")
        changes.append(make(amount))
    return changes


def augment(clips: Tensor, changes: Sequence[Change], *, seed: int, epoch: int, samples: Sequence[int]) -> Tensor:
    """Clips uint8 ``(B, T, H, W, 3)`` changed one by one; ``samples`` are their numbers."""
    if not changes:
        return clips
    out = torch.empty_like(clips)
    for n, sample in enumerate(samples):
        random = np.random.default_rng([seed, epoch, sample])
        clip = clips[n].permute(0, 3, 1, 2)
        for change in changes:
            clip = change(clip, random)
        out[n] = clip.permute(0, 2, 3, 1)
    return out


def _flip(share: float) -> Change:
    """Left becomes right in this share of the samples."""
    return lambda clip, random: v2.horizontal_flip(clip) if random.random() < share else clip


def _shift(most_px: float) -> Change:
    """Moved by up to so many pixels, up or down and left or right; what comes in repeats the edge."""
    most = int(most_px)

    def change(clip: Tensor, random: Random) -> Any:
        down, right = (int(value) for value in random.integers(-most, most + 1, 2))
        height, width = clip.shape[-2:]
        padded = v2.pad(clip, [most, most, most, most], padding_mode="edge")
        return v2.crop(padded, most - down, most - right, height, width)

    return change


def _crop(least: float) -> Change:
    """A part of the picture, from this share of its area on, of aspect 3:4 to 4:3, as large as the whole."""

    def change(clip: Tensor, random: Random) -> Any:
        height, width = clip.shape[-2:]
        area = random.uniform(least, 1.0) * height * width
        aspect = math.exp(random.uniform(math.log(_ASPECTS[0]), math.log(_ASPECTS[1])))
        part_width = min(width, max(1, round(math.sqrt(area * aspect))))
        part_height = min(height, max(1, round(math.sqrt(area / aspect))))
        top = int(random.integers(0, height - part_height + 1))
        left = int(random.integers(0, width - part_width + 1))
        return v2.resized_crop(clip, top, left, part_height, part_width, [height, width], antialias=True)

    return change


def _rotate(most_degrees: float) -> Change:
    """Turned by up to so many degrees either way."""

    def change(clip: Tensor, random: Random) -> Any:
        degrees = float(random.uniform(-most_degrees, most_degrees))
        return v2.rotate(clip, degrees, interpolation=InterpolationMode.BILINEAR)

    return change


def _jitter(most: float) -> Change:
    """Brightness, contrast and saturation times 1 - most to 1 + most each."""

    def change(clip: Tensor, random: Random) -> Any:
        bright, contrast, color = (float(value) for value in random.uniform(1 - most, 1 + most, 3))
        return v2.adjust_saturation(v2.adjust_contrast(v2.adjust_brightness(clip, bright), contrast), color)

    return change


def _erase(share: float) -> Change:
    """In this share of the samples a black rectangle of a tenth of the area (Zhong et al. 2020)."""

    def change(clip: Tensor, random: Random) -> Any:
        height, width = clip.shape[-2:]
        rows, columns = max(1, round(height * math.sqrt(0.1))), max(1, round(width * math.sqrt(0.1)))
        top, left = int(random.integers(0, height - rows + 1)), int(random.integers(0, width - columns + 1))
        if random.random() >= share:
            return clip
        return v2.erase(clip, top, left, rows, columns, torch.zeros(1, dtype=clip.dtype))

    return change


# Name -> what makes the change, its usual amount, the least and the most.
_CHANGES: dict[str, tuple[Callable[[float], Change], float, float, float]] = {
    "flip": (_flip, 0.5, 0, 1),
    "shift": (_shift, 1, 0, 64),
    "crop": (_crop, 0.5, 0.01, 1),
    "rotate": (_rotate, 10, 0, 180),
    "jitter": (_jitter, 0.2, 0, 1),
    "erase": (_erase, 0.25, 0, 1),
}
