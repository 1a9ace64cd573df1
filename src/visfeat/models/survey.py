"""A dry run through a module: which layers it has, of which kind and shape, and which of them is its embedding."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from visfeat.errors import ModelError
from visfeat.models.card import LayerKind, LayerSpec
from visfeat.models.taps import OUTPUT, Watched, first_tensor, freeze

MOST_PREFIX_TOKENS = 8


@dataclass(frozen=True)
class Survey:
    """What a dry run saw; the fields go into the card of the same names."""

    layers: tuple[LayerSpec, ...]
    default_layer: str
    default_pool: str | None
    logits_layer: str | None


@dataclass(frozen=True)
class _Call:
    """One call of one module: its output for the first image, and its input where it may be the classifier."""

    path: str
    number: int
    module: nn.Module
    output: Tensor
    given: Tensor | None


def survey(
    module: nn.Module,
    size_px: tuple[int, int],
    *,
    classifier: bool,
    prefix_tokens: int | None = None,
    channels_last: bool = False,
) -> Survey:
    """Run random pixels ``(2, 3, *size_px)`` through the module and describe what was seen, in call order.

    ``classifier``: the output are logits, so the embedding is what its last linear layer is given; else the output
    itself is. ``prefix_tokens``: how many class and register tokens there are, None to guess from the shapes.
    ``channels_last``: which way maps lie whose shape does not tell. Raises ModelError where nothing can be tapped.
    """
    freeze(module)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(2, 3, *size_px, generator=generator)
    with torch.inference_mode():
        pair, _ = _record(module, pixels, 2)
        # The first image alone: a layer that mixes images, or has its batch elsewhere, gives something else.
        alone, output = _record(module, pixels[:1], 1)
    calls = [call for call, both in zip(alone, pair, strict=True) if _same_item(call, both)]
    named = dict(_named(calls))
    if output is not None and not any(_equal(call.output, output) for call in named.values()):
        named[OUTPUT] = _Call(OUTPUT, 0, module, output, None)
    if not named:
        raise ModelError(f"{type(module).__name__}: no layer gives one result for each image, nothing can be tapped")
    assert output is not None
    layers = tuple(_spec(name, call, prefix_tokens, channels_last) for name, call in named.items())
    default, pool = _embedding(named, output, classifier)
    logits = _shallowest(named, output) if classifier else None
    return Survey(layers, default, pool, logits)


def _record(module: nn.Module, pixels: Tensor, batch: int) -> tuple[list[_Call], Tensor | None]:
    """All calls in the order in which they returned, with the first image's values, and the module's output."""
    calls: list[_Call] = []

    def note(path: str, number: int, part: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        given = first_tensor(inputs) if isinstance(part, (nn.Linear, nn.Conv2d)) else None
        calls.append(
            _Call(path, number, part, _first_item(output, batch), None if given is None else _first_item(given, batch))
        )

    with Watched(module, note):
        output = first_tensor(module(pixels))
    return calls, None if output is None else _first_item(output, batch)


def _first_item(values: Tensor, batch: int) -> Tensor:
    """The part of the first image; windows ``(N * windows, ...)`` keep their axis: ``(windows, ...)``."""
    if values.ndim == 0 or values.shape[0] % batch or not values.is_floating_point():
        return values.new_empty(0)
    share = values.shape[0] // batch
    first = values[:share].clone()
    return first[0] if share == 1 else first


def _same_item(alone: _Call, pair: _Call) -> bool:
    """Whether a layer gives an image the same values with and without a neighbor."""
    if alone.output.numel() == 0 or alone.output.shape != pair.output.shape:
        return False
    return torch.allclose(alone.output, pair.output, rtol=1e-3, atol=1e-4 * float(alone.output.abs().max()))


def _named(calls: list[_Call]) -> Iterator[tuple[str, _Call]]:
    """Layer names: the path, with the number of the call where there are several."""
    often = {call.path for call in calls if call.number > 0}
    for call in calls:
        yield (f"{call.path}#{call.number}" if call.path in often else call.path), call


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.numel() == b.numel() and torch.equal(a.flatten(), b.flatten())


def _shallowest(named: dict[str, _Call], values: Tensor) -> str | None:
    """The layer whose output has these values: of equal shape before reshaped ones, then the least nested, the first."""
    found = [name for name, call in named.items() if _equal(call.output, values)]
    if not found:
        return None
    return min(found, key=lambda name: (named[name].output.shape != values.shape, name.count(".")))


def _embedding(named: dict[str, _Call], output: Tensor, classifier: bool) -> tuple[str, str | None]:
    """Name and pooling of the layer that holds the pooled embedding."""
    wanted = _classifier_input(named, output) if classifier else output
    if wanted is None:
        return _before_output(named, output), None
    exact = _shallowest(named, wanted)
    if exact is not None:
        return exact, None
    for name, call in named.items():
        if call.output.ndim == 2 and _equal(call.output[0], wanted):
            return name, "cls"
    return _before_output(named, output), None


def _classifier_input(named: dict[str, _Call], output: Tensor) -> Tensor | None:
    """What the last linear layer is given, or the last convolution that makes a map for each class."""
    for call in named.values():
        if isinstance(call.module, nn.Linear) and _equal(call.output, output):
            return call.given
    for call in reversed(list(named.values())):
        if isinstance(call.module, nn.Conv2d) and call.module.out_channels == output.numel():
            return call.given
    return None


def _before_output(named: dict[str, _Call], output: Tensor) -> str:
    """The last layer that does not give the output itself (two heads that are averaged, for example)."""
    linear = [call.given for call in named.values() if isinstance(call.module, nn.Linear)]
    for given in reversed(linear):
        name = None if given is None else _shallowest(named, given)
        if name is not None:
            return name
    others = [name for name, call in named.items() if not _equal(call.output, output)]
    return others[-1] if others else next(iter(named))


def _spec(name: str, call: _Call, prefix_tokens: int | None, channels_last: bool) -> LayerSpec:
    shape = tuple(call.output.shape)
    kind = _kind(call)
    return LayerSpec(
        name=name,
        kind=kind,
        shape=shape,
        channels_last=kind == "map" and _is_channels_last(shape, call.module, channels_last),
        prefix_tokens=_prefix(shape[0], prefix_tokens) if kind == "tokens" else 0,
        module=type(call.module).__name__,
    )


def _kind(call: _Call) -> LayerKind:
    kinds: dict[int, LayerKind] = {1: "vector", 2: "tokens", 3: "map"}
    return kinds.get(call.output.ndim, "other")


def _is_channels_last(shape: tuple[int, ...], module: nn.Module, otherwise: bool) -> bool:
    """Which of the three axes are height and width: the two that are equal, else what the module is known for."""
    first, middle, last = shape
    if (first == middle) != (middle == last):
        return first == middle
    if isinstance(module, (nn.Linear, nn.LayerNorm)):
        return True
    return otherwise and not isinstance(module, (nn.Conv2d, nn.BatchNorm2d))


def _prefix(tokens: int, known: int | None) -> int:
    """How many of the tokens stand before the square of patches; 0 where that leaves no square."""
    for prefix in range(MOST_PREFIX_TOKENS + 1) if known is None else (0, known):
        if tokens > prefix and math.isqrt(tokens - prefix) ** 2 == tokens - prefix:
            return prefix
    return 0
