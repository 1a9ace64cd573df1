"""Feature maps: the values of a layer's channels, each at the place in the picture where it was computed.

Tokens of a transformer are maps too: each patch has its place. Maps of clips keep their axis of time.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.card import LayerSpec, ModelCard
from visfeat.errors import UsageError

Values = NDArray[np.floating[Any]]

MOST_LAYERS = 6
_SEVERAL = 4
"""So many layers of a network that has one resolution."""


@dataclass(frozen=True)
class Maps:
    """All channels of one layer: float ``(C, T, H, W)``, T = 1 without an axis of time."""

    layer: str
    values: Values

    def strongest(self, count: int) -> list[int]:
        """The channels whose values vary most (standard deviation over time and place), the first first."""
        spread = self.values.reshape(len(self.values), -1).std(axis=1, dtype=np.float64)
        return [int(channel) for channel in np.argsort(-spread, kind="stable")[:count]]

    def chosen(self, channels: tuple[int, ...]) -> list[int]:
        """These channels; raises UsageError where the layer has not so many."""
        beyond = [channel for channel in channels if not 0 <= channel < len(self.values)]
        if beyond:
            raise UsageError(f"--channels {beyond[0]}: layer {self.layer} has channels 0 to {len(self.values) - 1}")
        return list(channels)


def maps_of(values: Values, spec: LayerSpec, clip_frames: int = 1) -> Maps:
    """A layer's values ``spec.shape`` as maps; raises UsageError where they have no place in the picture."""
    if spec.kind == "map":
        first = np.moveaxis(values, -1, 0) if spec.channels_last else values
        return Maps(spec.name, first if first.ndim == 4 else first[:, None])
    if spec.kind == "tokens":
        shape = patches_shape(spec.shape[0] - spec.prefix_tokens, clip_frames)
        if shape is not None:
            patches = values[spec.prefix_tokens :].T
            return Maps(spec.name, patches.reshape(len(patches), *shape))
    raise UsageError(
        f"--layers {spec.name}: its values ({spec.kind}, {' x '.join(map(str, spec.shape))}) have no place in the "
        "picture; visfeat layers shows which layers are maps or tokens"
    )


def patches_shape(patches: int, clip_frames: int = 1) -> tuple[int, int, int] | None:
    """Steps of time, rows and columns of so many patches of equal squares, None where they are not such.

    >>> patches_shape(196), patches_shape(8 * 14 * 14, clip_frames=16), patches_shape(150)
    ((1, 14, 14), (8, 14, 14), None)
    """
    steps = clip_frames
    while patches > 0 and steps >= 1:
        side = math.isqrt(patches // steps)
        if steps * side * side == patches:
            return steps, side, side
        steps //= 2
    return None


def has_places(spec: LayerSpec, clip_frames: int = 1) -> bool:
    """Whether a layer's values lie at more than one place in the picture."""
    if spec.kind == "map":
        height, width = spec.shape[-3:-1] if spec.channels_last else spec.shape[-2:]
        return height * width > 1
    if spec.kind == "tokens":
        shape = patches_shape(spec.shape[0] - spec.prefix_tokens, clip_frames)
        return shape is not None and shape[1] > 1
    return False


def placed_layers(card: ModelCard) -> list[LayerSpec]:
    """The layers of a model whose values lie over the picture.

    Left out is what only has the shape of a map: the heads of an attention ``(heads, tokens, C)``, and its weights
    ``(heads, tokens, tokens)``.
    """
    frames, (height, width) = card.input.clip_frames, card.input.size_px
    tokens = {spec.shape[0] for spec in card.layers if spec.kind == "tokens"}

    def lies_over(spec: LayerSpec) -> bool:
        if spec.kind != "map":
            return True
        rows, columns = spec.shape[-3:-1] if spec.channels_last else spec.shape[-2:]
        return rows not in tokens and abs(rows * width - columns * height) <= max(height, width)

    return [spec for spec in card.layers if has_places(spec, frames) and lies_over(spec)]


def telling_layers(card: ModelCard) -> tuple[str, ...]:
    """Layers that show how a network sees: the last of each resolution, or some evenly from first to last.

    Of a network whose maps are all of one size, among the parts of which it is a stack. Raises UsageError where no
    layer has maps or tokens.
    """
    clip_frames = card.input.clip_frames
    layers = placed_layers(card)
    if not layers:
        raise UsageError(f"{card.name}: no layer of it is a map or tokens")
    groups: dict[tuple[int, ...], list[LayerSpec]] = {}
    for spec in layers:
        groups.setdefault(_places(spec, clip_frames), []).append(spec)
    if len(groups) > 1:
        # The deepest ones where there are many.
        return tuple(_outermost_last(group).name for group in groups.values())[-MOST_LAYERS:]
    stack = _stack(layers)
    indices = np.linspace(0, len(stack) - 1, min(_SEVERAL, len(stack))).round().astype(int)
    return tuple(stack[index].name for index in indices)


def _places(spec: LayerSpec, clip_frames: int) -> tuple[int, ...]:
    if spec.kind == "tokens":
        return patches_shape(spec.shape[0] - spec.prefix_tokens, clip_frames) or ()
    places = spec.shape[:-1] if spec.channels_last else spec.shape[1:]
    return places if len(places) == 3 else (1, *places)


def _outermost_last(layers: list[LayerSpec]) -> LayerSpec:
    """Of the least nested layers the last: what a whole stage gives, not a part of it."""
    least = min(spec.name.count(".") for spec in layers)
    return [spec for spec in layers if spec.name.count(".") == least][-1]


def _stack(layers: list[LayerSpec]) -> list[LayerSpec]:
    """The least nested layers of a kind of module that comes three times or more; all where there is none."""
    often = {module for module, count in Counter(spec.module for spec in layers).items() if count >= 3 and module}
    repeated = [spec for spec in layers if spec.module in often]
    if not repeated:
        return layers

    def nesting(module: str) -> float:
        return float(np.mean([spec.name.count(".") for spec in repeated if spec.module == module]))

    outermost = min(sorted(often), key=nesting)
    return [spec for spec in repeated if spec.module == outermost]
