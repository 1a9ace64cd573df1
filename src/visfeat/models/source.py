"""What a source of models is: a plugin that lists names and loads one.

A source in torch's world returns a ModuleModel (an nn.Module with its card), any other a PackedModel, or a
FunctionModel where there is no network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from visfeat.card import ModelCard
from visfeat.models.packed import PackedModel

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ModuleModel:
    """A model in torch's world: the module in eval mode on the CPU, float32 weights, and its card."""

    card: ModelCard
    module: nn.Module


LayerFunction: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From one input uint8 ``(T, H, W, C)``, not normalized, to a layer's values; several threads may call it."""


@dataclass(frozen=True)
class FunctionModel:
    """A model that is no network: each layer is a function of the input, which the engine ``classic`` calls."""

    card: ModelCard
    functions: Mapping[str, LayerFunction]


LoadedModel: TypeAlias = PackedModel | ModuleModel | FunctionModel


@dataclass(frozen=True)
class ModelRequest:
    """Which model, with which weights, for which input.

    ``name`` is without the source's prefix (``resnet50``); ``weights`` is ``pretrained``,
    ``random:SEED`` or a file; ``size_px`` is a side in pixels, ``clip_frames`` a number of frames, where the model's
    own is not wanted.
    """

    name: str
    weights: str = "pretrained"
    size_px: int | None = None
    clip_frames: int | None = None


def with_seed(weights: str) -> str:
    """``random`` as what it means, ``random:0``, so that both are one model; anything else as it is."""
    return "random:0" if weights == "random" else weights


@runtime_checkable
class ModelSource(Protocol):
    """A plugin of the group ``visfeat.models``; its name there is the prefix of its models."""

    needs_torch: bool
    """True where ``load`` imports torch: such models are packed on first use and cached."""

    def names(self) -> list[str]:
        """All model names, without the prefix, that need no file or network to be listed."""

    def load(self, request: ModelRequest) -> LoadedModel:
        """Load one; raises UnknownModel, ModelError, WeightsMismatch or MissingExtra."""
