"""What the shape of one layer's output says about it: vector, map or tokens, and where its axes lie."""

from __future__ import annotations

import math

from visfeat.card import InputSpec, LayerKind, LayerSpec

MOST_PREFIX_TOKENS = 8
"""DINOv2 with registers has 5, DINOv3 has 5; more class and register tokens are not looked for."""

_KINDS: dict[int, LayerKind] = {1: "vector", 2: "tokens", 3: "map"}


def input_shape(spec: InputSpec) -> tuple[int, ...]:
    """What a network takes, without the batch axis: ``(C, H, W)``, or ``(C, T, H, W)`` for clips; C is 3, of flow 2."""
    frames = (spec.clip_frames,) if spec.clip_frames > 1 else ()
    return (spec.channels, *frames, *spec.size_px)


def layer_spec(
    name: str,
    shape: tuple[int, ...],
    *,
    module: str = "",
    channels_last: bool = False,
    prefix_tokens: int | None = None,
    clip_frames: int = 1,
) -> LayerSpec:
    """Describe a layer by the shape of its output for one image, or one clip of ``clip_frames``.

    ``channels_last``: which way a map lies where its shape does not tell. ``prefix_tokens``: how many class and
    register tokens the network has, None to guess them.
    """
    kind = _KINDS.get(len(shape), "other") if clip_frames == 1 else _kind_of_clips(shape)
    return LayerSpec(
        name=name,
        kind=kind,
        shape=shape,
        channels_last=kind == "map" and is_channels_last(shape, otherwise=channels_last),
        prefix_tokens=count_prefix(shape[0], prefix_tokens, clip_frames) if kind == "tokens" else 0,
        module=module,
    )


def _kind_of_clips(shape: tuple[int, ...]) -> LayerKind:
    """In a network of clips a map has four axes; three are one only where two are height and width (equal ones)."""
    if len(shape) == 3 and shape[0] != shape[1] != shape[2]:
        return "other"
    return "map" if len(shape) == 4 else _KINDS.get(len(shape), "other")


def is_channels_last(shape: tuple[int, ...], *, otherwise: bool) -> bool:
    """Whether a map lies as ``(H, W, C)``, ``(T, H, W, C)``: height and width are the two axes that are equal.

    >>> is_channels_last((8, 56, 56, 96), otherwise=False), is_channels_last((96, 8, 56, 56), otherwise=True)
    (True, False)
    """
    first, middle, last = shape[-3:]
    if (first == middle) != (middle == last):
        return first == middle
    return otherwise


def count_prefix(tokens: int, known: int | None = None, clip_frames: int = 1) -> int:
    """How many tokens stand before the square of patches; 0 where that leaves no square.

    The patches of a clip are so many squares as it has frames, or half of them, a quarter, ...: no more than
    ``known`` tokens before them are looked for then, 0 where that is None.

    >>> count_prefix(197), count_prefix(196), count_prefix(261), count_prefix(50, known=1)
    (1, 0, 5, 1)
    >>> count_prefix(1 + 8 * 14 * 14, known=1, clip_frames=16), count_prefix(8 * 14 * 14, known=1, clip_frames=16)
    (1, 0)
    """
    if clip_frames > 1:
        return next((prefix for prefix in (known or 0, 0) if _are_patches(tokens - prefix, clip_frames)), 0)
    for prefix in range(MOST_PREFIX_TOKENS + 1) if known is None else (0, known):
        if tokens > prefix and math.isqrt(tokens - prefix) ** 2 == tokens - prefix:
            return prefix
    return 0


def _are_patches(tokens: int, clip_frames: int) -> bool:
    """Whether so many tokens are T' equal squares, where T' is the clip's length divided by a power of two."""
    steps = clip_frames
    while tokens > 0 and steps >= 1:
        if tokens % steps == 0 and math.isqrt(tokens // steps) ** 2 == tokens // steps:
            return True
        steps //= 2
    return False
