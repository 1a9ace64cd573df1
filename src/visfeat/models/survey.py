"""A dry run through a module: which layers it has, of which kind and shape, and which of them is its embedding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from visfeat.card import LayerSpec
from visfeat.errors import ModelError
from visfeat.models.calls import CONVOLUTIONS, Call, Values, record
from visfeat.models.shapes import count_prefix, layer_spec
from visfeat.models.taps import INPUT, OUTPUT, freeze
from visfeat.recipe import Pool

_CLASS_TOKENS = ("class_token", "cls_token")


@dataclass(frozen=True)
class Survey:
    """What a dry run saw; the fields go into the card of the same names."""

    layers: tuple[LayerSpec, ...]
    default_layer: str
    default_pool: Pool | None
    logits_layer: str | None


def survey(
    module: nn.Module,
    size_px: tuple[int, int],
    *,
    classifier: bool,
    prefix_tokens: int | None = None,
    channels_last: bool = False,
    clip_frames: int = 1,
    channels: int = 3,
) -> Survey:
    """Run random pixels through the module and describe what was seen, in call order.

    The pixels are ``(2, channels, *size_px)``, or ``(2, channels, clip_frames, *size_px)`` for a network of clips.

    ``classifier``: the output are logits, so the embedding is what its last linear layer is given; else the output
    itself is. ``prefix_tokens``: how many class and register tokens there are, None to guess from the shapes.
    ``channels_last``: which way maps lie whose shape does not tell. Raises ModelError where nothing can be tapped.
    """
    freeze(module)
    generator = torch.Generator().manual_seed(0)
    frames = (clip_frames,) if clip_frames > 1 else ()
    pixels = torch.randn(2, channels, *frames, *size_px, generator=generator)
    with torch.inference_mode():
        pair, _ = record(module, pixels)
        # The first image alone: a layer that mixes images, or has its batch elsewhere, gives something else.
        alone, output = record(module, pixels[:1])
    if output is None or output.size == 0 or len(alone) != len(pair):
        raise ModelError(f"{type(module).__name__}: its output is not one tensor of floats for each image")
    named = dict(_named([call for call, both in zip(alone, pair, strict=True) if call.output.is_near(both.output)]))
    if not any(call.output.equals(output) for call in named.values()):
        named[OUTPUT] = Call(OUTPUT, 0, module, output)
    prefix = count_class_tokens(module) if prefix_tokens is None and clip_frames > 1 else prefix_tokens
    layers_of = _Describer(prefix, channels_last, clip_frames)
    default, pool = _embedding(named, output, classifier, layers_of)
    layers = tuple(layers_of.spec(name, call) for name, call in named.items())
    return Survey(layers, default, pool, _shallowest(named, output) if classifier else None)


def _named(calls: list[Call]) -> Iterator[tuple[str, Call]]:
    """Layer names: the path, with the number of the call where there are several."""
    often = {call.path for call in calls if call.number > 0}
    for call in calls:
        yield (f"{call.path}#{call.number}" if call.path in often else call.path), call


def _shallowest(named: dict[str, Call], values: Values) -> str | None:
    """The layer whose output has these values; of several the least nested, no dropout, of that shape, the first."""
    found = [name for name, call in named.items() if call.output.equals(values)]
    if not found:
        return None

    def rank(name: str) -> tuple[int, bool, bool]:
        call = named[name]
        return name.count("."), isinstance(call.module, nn.Dropout), call.output.shape != values.shape

    return min(found, key=rank)


def _embedding(
    named: dict[str, Call], output: Values, classifier: bool, layers_of: _Describer
) -> tuple[str, Pool | None]:
    """Name and pooling of the layer that holds the pooled embedding; adds the layer where it has no name yet."""
    linear = _last_linear(named, output) if classifier else None
    wanted = output if linear is None else linear.given
    assert wanted is not None
    exact = None if classifier and linear is None else _shallowest(named, wanted)
    if exact is not None:
        return exact, None if len(wanted.shape) != 2 else "cls" if layers_of.count_prefix(wanted) else "avg"
    for name, call in named.items():
        if call.output.begins_with(wanted):
            return name, "cls"
    if linear is None:
        return _before_output(named, output), None
    # Pooled by a function, not by a module: known only as what the classifier is given.
    name = linear.path + INPUT
    named[name] = Call(name, 0, linear.module, wanted)
    return name, None


def _last_linear(named: dict[str, Call], output: Values) -> Call | None:
    """The linear layer, or convolution over a map of one class each, that makes the logits."""
    calls = [call for call in named.values() if call.given is not None]
    for call in calls:
        if isinstance(call.module, nn.Linear) and call.output.equals(output):
            return call
    # Two heads whose mean is the output (distilled networks): the first; class maps that are pooled: the last.
    for call in calls:
        if isinstance(call.module, nn.Linear) and call.module.out_features == output.size:
            return call
    maps = [call for call in calls if isinstance(call.module, CONVOLUTIONS) and call.module.out_channels == output.size]
    return maps[-1] if maps else None


def _before_output(named: dict[str, Call], output: Values) -> str:
    """The last layer that does not give the output itself."""
    others = [name for name, call in named.items() if not call.output.equals(output)]
    return others[-1] if others else next(iter(named))


@dataclass(frozen=True)
class _Describer:
    """Describes layers with what is known of the whole network."""

    prefix_tokens: int | None
    channels_last: bool
    clip_frames: int

    def count_prefix(self, tokens: Values) -> int:
        """Class and register tokens of the embedding ``(T, C)``."""
        known = None if self.clip_frames == 1 else self.prefix_tokens
        return count_prefix(tokens.shape[0], known, self.clip_frames)

    def spec(self, name: str, call: Call) -> LayerSpec:
        """A layer by the call that gave it."""
        of_last_axis = isinstance(call.module, (nn.Linear, nn.LayerNorm))
        of_first_axis = isinstance(call.module, (*CONVOLUTIONS, nn.BatchNorm2d, nn.BatchNorm3d))
        spec = layer_spec(
            name,
            call.output.shape,
            module=type(call.module).__name__,
            channels_last=of_last_axis or (self.channels_last and not of_first_axis),
            prefix_tokens=self.prefix_tokens,
            clip_frames=self.clip_frames,
        )
        if call.windows:
            return spec.model_copy(update={"kind": "other", "channels_last": False, "prefix_tokens": 0})
        return spec


def count_class_tokens(module: nn.Module) -> int:
    """How many class tokens a network learned: parameters ``class_token`` or ``cls_token`` ``(..., tokens, C)``."""
    learned = [value for name, value in module.named_parameters() if name.rpartition(".")[2] in _CLASS_TOKENS]
    return sum(value.shape[-2] if value.ndim > 1 else 1 for value in learned)
