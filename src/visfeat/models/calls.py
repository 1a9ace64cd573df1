"""What a pass through a module shows: each call of each of its parts, with the shape and some of the values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from visfeat.models.taps import Watched, first_tensor

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
MOST_VALUES = 2**18
"""Of a larger output so many values at its beginning are kept, and as many from all over it: a clip has gigabytes."""


@dataclass(frozen=True)
class Values:
    """A tensor's shape, and its values or a part of them: always the same part of tensors of one size."""

    shape: tuple[int, ...]
    kept: Tensor
    """One axis."""

    @classmethod
    def of(cls, values: Tensor) -> Values:
        """Keep what is needed to tell tensors apart; nothing of the tensor itself."""
        flat = values.flatten()
        if flat.numel() <= 2 * MOST_VALUES:
            return cls(tuple(values.shape), flat.clone())
        step = math.ceil(flat.numel() / MOST_VALUES)
        return cls(tuple(values.shape), torch.cat([flat[:MOST_VALUES], flat[::step]]))

    @property
    def size(self) -> int:
        """How many values the tensor had."""
        return math.prod(self.shape) if self.kept.numel() else 0

    def equals(self, other: Values) -> bool:
        """Whether both have the same values in the same order, whatever their shapes."""
        return self.size == other.size and torch.equal(self.kept, other.kept)

    def begins_with(self, other: Values) -> bool:
        """Whether this is ``(T, C)`` and its first row has the values of the other."""
        first = self.kept[: self.shape[-1]]
        return len(self.shape) == 2 and len(first) == other.size and torch.equal(first, other.kept)

    def is_near(self, other: Values) -> bool:
        """Whether both have the same shape and, to a thousandth, the same values."""
        if self.size == 0 or self.shape != other.shape:
            return False
        return bool((self.kept - other.kept).abs().max() <= 1e-3 * self.kept.abs().max())


@dataclass(frozen=True)
class Call:
    """One call of one module: its output for the first image, and its input where it may be the classifier."""

    path: str
    number: int
    module: nn.Module
    output: Values
    given: Values | None = None
    windows: bool = False
    """The output is that of the windows into which the image was cut."""


def record(module: nn.Module, pixels: Tensor) -> tuple[list[Call], Values | None]:
    """All calls in the order in which they returned, with the first image's values, and the module's output."""
    calls: list[Call] = []
    batch = len(pixels)

    def note(path: str, number: int, part: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        given = first_tensor(inputs) if isinstance(part, (nn.Linear, *CONVOLUTIONS)) else None
        item, windows = _first_item(output, batch)
        before = None if given is None else _first_item(given, batch)[0]
        calls.append(Call(path, number, part, item, before, windows))

    with Watched(module, note):
        output = first_tensor(module(pixels))
    return calls, None if output is None else _first_item(output, batch)[0]


def _first_item(values: Tensor, batch: int) -> tuple[Values, bool]:
    """The part of the first image, and whether it is several windows ``(N * windows, ...)``; those keep their axis."""
    if values.ndim == 0 or values.shape[0] % batch or not values.is_floating_point():
        return Values.of(values.new_empty(0)), False
    share = values.shape[0] // batch
    first = values[:share]
    return (Values.of(first[0]), False) if share == 1 else (Values.of(first), True)
