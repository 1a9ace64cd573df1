"""From what a classic feature says of itself to a model with a card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from visfeat.card import InputSpec, ModelCard
from visfeat.errors import UsageError
from visfeat.models.clip_length import with_clip
from visfeat.models.resize import input_at
from visfeat.models.shapes import layer_spec
from visfeat.models.source import FunctionModel, LayerFunction, ModelRequest


@dataclass(frozen=True)
class Known:
    """What a feature says of itself: where it comes from, what it sees, its layers as functions, the default first.

    ``revision`` is raised when the same pixels come to give other numbers; ``learned_digest`` names what it has
    learned, where it has.
    """

    source: str
    input: InputSpec
    layers: Mapping[str, LayerFunction]
    revision: int = 1
    smallest_px: int = 1
    """The least side of a picture of which it can be computed."""
    learned_digest: str = ""


def described(name: str, known: Known, request: ModelRequest) -> FunctionModel:
    """The model for the size and number of frames asked for; shapes are those of its layers over a blank input.

    Raises UsageError where it does not take so few pixels or so many frames.
    """
    own = known.input if request.size_px is None else input_at(known.input, request.size_px)
    if min(own.size_px) < known.smallest_px:
        raise UsageError(f"--size {request.size_px}: {name} takes {known.smallest_px} pixels or more")
    spec = with_clip(own, request.clip_frames, model=name)
    blank = np.zeros((spec.clip_frames, *spec.size_px, spec.channels), dtype=np.uint8)
    layers = tuple(layer_spec(layer, compute(blank).shape, prefix_tokens=0) for layer, compute in known.layers.items())
    what = f"{name} {known.revision}" + (f" {known.learned_digest}" if known.learned_digest else "")
    card = ModelCard(
        name=name,
        source=known.source,
        weights=request.weights,
        weights_digest=hashlib.sha256(what.encode()).hexdigest(),
        input=spec,
        layers=layers,
        default_layer=layers[0].name,
    )
    return FunctionModel(card, known.layers)
