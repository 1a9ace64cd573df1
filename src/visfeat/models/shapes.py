"""What the shape of one layer's output says about it: vector, map or tokens, and where its axes lie."""

from __future__ import annotations

import math

from visfeat.card import LayerKind, LayerSpec

MOST_PREFIX_TOKENS = 8
"""DINOv2 with registers has 5, DINOv3 has 5; more class and register tokens are not looked for."""

_KINDS: dict[int, LayerKind] = {1: "vector", 2: "tokens", 3: "map"}


def layer_spec(
    name: str,
    shape: tuple[int, ...],
    *,
    module: str = "",
    channels_last: bool = False,
    prefix_tokens: int | None = None,
) -> LayerSpec:
    """Describe a layer by the shape of its output for one image.

    ``channels_last``: which way a map lies where its shape does not tell. ``prefix_tokens``: how many class and
    register tokens the network has, None to guess them.
    """
    kind = _KINDS.get(len(shape), "other")
    return LayerSpec(
        name=name,
        kind=kind,
        shape=shape,
        channels_last=kind == "map" and is_channels_last(shape, otherwise=channels_last),
        prefix_tokens=count_prefix(shape[0], prefix_tokens) if kind == "tokens" else 0,
        module=module,
    )


def is_channels_last(shape: tuple[int, ...], *, otherwise: bool) -> bool:
    """Whether a map lies as ``(H, W, C)``: height and width are the two axes that are equal."""
    first, middle, last = shape
    if (first == middle) != (middle == last):
        return first == middle
    return otherwise


def count_prefix(tokens: int, known: int | None = None) -> int:
    """How many tokens stand before the square of patches; 0 where that leaves no square.

    >>> count_prefix(197), count_prefix(196), count_prefix(261), count_prefix(50, known=1)
    (1, 0, 5, 1)
    """
    for prefix in range(MOST_PREFIX_TOKENS + 1) if known is None else (0, known):
        if tokens > prefix and math.isqrt(tokens - prefix) ** 2 == tokens - prefix:
            return prefix
    return 0
