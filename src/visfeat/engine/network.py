"""What an engine is: a plugin that compiles a model for a device and runs batches through it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from visfeat.card import InputSpec, LayerSpec
from visfeat.models.source import LoadedModel
from visfeat.views import whole_rows

Outputs = Mapping[str, NDArray[np.floating[Any]]]
"""Layer name -> activations ``(B, ...)`` as the card's LayerSpec says."""

Tag = TypeVar("Tag")


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """How to compile: the layers to tap, the input, the batch, the device.

    ``device``: cpu, cuda, cuda:1, mps, intel-gpu. ``precision``: f32, bf16, fp16.
    ``threads``: None for the engine's own choice. ``batch_size``: None for the engine's own choice, which is raised to
    a multiple of ``batch_multiple``: a row that is seen in several views has them all in one batch.
    """

    layers: tuple[str, ...]
    input: InputSpec
    device: str = "cpu"
    precision: str = "f32"
    batch_size: int | None = None
    threads: int | None = None
    batch_multiple: int = 1

    def whole_rows(self, own: int) -> int:
        """The batch size to compile for; ``own`` is the engine's choice."""
        return whole_rows(self.batch_size or own, self.batch_multiple)


@runtime_checkable
class Network(Protocol):
    """A model compiled for one device, one input shape and one batch size."""

    batch_size: int
    layers: tuple[LayerSpec, ...]
    """The tapped layers, in the order asked for, with their shapes."""
    facts: Mapping[str, str]
    """What a reader must know to trust the numbers: engine, version, device, precision, CPU features."""

    def stream(self, batches: Iterable[tuple[Tag, NDArray[np.uint8]]]) -> Iterator[tuple[Tag, Outputs]]:
        """Run batches uint8 ``(B, T, H, W, C)`` of exactly ``batch_size``; results come as they are ready.

        C is 3 for pixels and 2 for flow. Several batches are in flight at once; the outputs of one are the caller's
        own arrays. Pixels are normalized inside by the input's mean and std. Raises OutOfMemory or EngineError.
        """


@runtime_checkable
class Engine(Protocol):
    """A plugin of the group ``visfeat.engines``."""

    name: str

    def compile(self, model: LoadedModel, options: NetworkOptions) -> Network:
        """Compile a model; raises EngineError, UnknownLayer or UsageError (a device that is not there)."""
