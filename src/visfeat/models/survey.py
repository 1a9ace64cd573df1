"""A dry run through a module: which layers it has, of which kind and shape, and which of them is its embedding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from visfeat.card import LayerSpec
from visfeat.errors import ModelError
from visfeat.models.shapes import count_prefix, layer_spec
from visfeat.models.taps import INPUT, OUTPUT, Watched, first_tensor, freeze
from visfeat.recipe import Pool


@dataclass(frozen=True)
class Survey:
    """What a dry run saw; the fields go into the card of the same names."""

    layers: tuple[LayerSpec, ...]
    default_layer: str
    default_pool: Pool | None
    logits_layer: str | None


@dataclass(frozen=True)
class _Call:
    """One call of one module: its output for the first image, and its input where it may be the classifier."""

    path: str
    number: int
    module: nn.Module
    output: Tensor
    given: Tensor | None = None
    windows: bool = False
    """The output is that of the windows into which the image was cut."""


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
    if output is None or output.numel() == 0 or len(alone) != len(pair):
        raise ModelError(f"{type(module).__name__}: its output is not one tensor of floats for each image")
    named = dict(_named([call for call, both in zip(alone, pair, strict=True) if _same_item(call, both)]))
    if not any(_equal(call.output, output) for call in named.values()):
        named[OUTPUT] = _Call(OUTPUT, 0, module, output)
    default, pool = _embedding(named, output, classifier)
    layers = tuple(_spec(name, call, prefix_tokens, channels_last) for name, call in named.items())
    return Survey(layers, default, pool, _shallowest(named, output) if classifier else None)


def _record(module: nn.Module, pixels: Tensor, batch: int) -> tuple[list[_Call], Tensor | None]:
    """All calls in the order in which they returned, with the first image's values, and the module's output."""
    calls: list[_Call] = []

    def note(path: str, number: int, part: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        given = first_tensor(inputs) if isinstance(part, (nn.Linear, nn.Conv2d)) else None
        item, windows = _first_item(output, batch)
        calls.append(_Call(path, number, part, item, None if given is None else _first_item(given, batch)[0], windows))

    with Watched(module, note):
        output = first_tensor(module(pixels))
    return calls, None if output is None else _first_item(output, batch)[0]


def _first_item(values: Tensor, batch: int) -> tuple[Tensor, bool]:
    """The part of the first image, and whether it is several windows ``(N * windows, ...)``; those keep their axis."""
    if values.ndim == 0 or values.shape[0] % batch or not values.is_floating_point():
        return values.new_empty(0), False
    share = values.shape[0] // batch
    first = values[:share].clone()
    return (first[0], False) if share == 1 else (first, True)


def _same_item(alone: _Call, pair: _Call) -> bool:
    """Whether a layer gives an image the same values with and without a neighbor."""
    if alone.output.numel() == 0 or alone.output.shape != pair.output.shape:
        return False
    difference = (alone.output - pair.output).abs_().max()
    return bool(difference <= 1e-3 * alone.output.abs().max())


def _named(calls: list[_Call]) -> Iterator[tuple[str, _Call]]:
    """Layer names: the path, with the number of the call where there are several."""
    often = {call.path for call in calls if call.number > 0}
    for call in calls:
        yield (f"{call.path}#{call.number}" if call.path in often else call.path), call


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.numel() == b.numel() and torch.equal(a.flatten(), b.flatten())


def _shallowest(named: dict[str, _Call], values: Tensor) -> str | None:
    """The layer whose output has these values; of several the least nested, no dropout, of that shape, the first."""
    found = [name for name, call in named.items() if _equal(call.output, values)]
    if not found:
        return None

    def rank(name: str) -> tuple[int, bool, bool]:
        call = named[name]
        return name.count("."), isinstance(call.module, nn.Dropout), call.output.shape != values.shape

    return min(found, key=rank)


def _embedding(named: dict[str, _Call], output: Tensor, classifier: bool) -> tuple[str, Pool | None]:
    """Name and pooling of the layer that holds the pooled embedding; adds the layer where it has no name yet."""
    linear = _last_linear(named, output) if classifier else None
    wanted = output if linear is None else linear.given
    assert wanted is not None
    exact = None if classifier and linear is None else _shallowest(named, wanted)
    if exact is not None:
        return exact, None if wanted.ndim != 2 else "cls" if count_prefix(len(wanted)) else "avg"
    for name, call in named.items():
        if call.output.ndim == 2 and _equal(call.output[0], wanted):
            return name, "cls"
    if linear is None:
        return _before_output(named, output), None
    # Pooled by a function, not by a module: known only as what the classifier is given.
    name = linear.path + INPUT
    named[name] = _Call(name, 0, linear.module, wanted)
    return name, None


def _last_linear(named: dict[str, _Call], output: Tensor) -> _Call | None:
    """The linear layer, or convolution over a map of one class each, that makes the logits."""
    calls = [call for call in named.values() if call.given is not None]
    for call in calls:
        if isinstance(call.module, nn.Linear) and _equal(call.output, output):
            return call
    # Two heads whose mean is the output (distilled networks): the first; class maps that are pooled: the last.
    for call in calls:
        if isinstance(call.module, nn.Linear) and call.module.out_features == output.numel():
            return call
    maps = [call for call in calls if isinstance(call.module, nn.Conv2d) and call.module.out_channels == output.numel()]
    return maps[-1] if maps else None


def _before_output(named: dict[str, _Call], output: Tensor) -> str:
    """The last layer that does not give the output itself."""
    others = [name for name, call in named.items() if not _equal(call.output, output)]
    return others[-1] if others else next(iter(named))


def _spec(name: str, call: _Call, prefix_tokens: int | None, channels_last: bool) -> LayerSpec:
    of_last_axis = isinstance(call.module, (nn.Linear, nn.LayerNorm))
    of_first_axis = isinstance(call.module, (nn.Conv2d, nn.BatchNorm2d))
    spec = layer_spec(
        name,
        tuple(call.output.shape),
        module=type(call.module).__name__,
        channels_last=of_last_axis or (channels_last and not of_first_axis),
        prefix_tokens=prefix_tokens,
    )
    if call.windows:
        return spec.model_copy(update={"kind": "other", "channels_last": False, "prefix_tokens": 0})
    return spec
