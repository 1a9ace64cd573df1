"""Running a network over a few inputs, for the values of its layers as they are, before any pooling."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.card import LayerSpec
from visfeat.engine.prepare import Prepared
from visfeat.show.look import Look, Pixels, look

Values = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Seen:
    """What a network was shown, and what its layers made of it: layer -> ``spec.shape``."""

    look: Look
    values: dict[str, Values]
    prepared: Prepared

    def spec(self, layer: str) -> LayerSpec:
        """What the card says of a layer."""
        return self.prepared.card.layer(layer)


def show_network(path: str | os.PathLike[str], prepared: Prepared, at_s: Fraction | None = None) -> Seen:
    """Run a network over a picture, or over a frame or clip of a video. Raises MediaError, UsageError, EngineError."""
    shown = look(path, prepared.recipe, prepared.preprocessor, at_s)
    outputs = activations(prepared, [shown.pixels])
    return Seen(shown, {name: values[0] for name, values in outputs.items()}, prepared)


def activations(prepared: Prepared, inputs: Iterable[Pixels]) -> dict[str, Values]:
    """The tapped layers for N inputs uint8 ``(T, H, W, C)``, made as they are needed: layer -> ``(N, *spec.shape)``."""
    size, count = prepared.network.batch_size, 0

    def batches() -> Iterator[tuple[int, Pixels]]:
        nonlocal count
        source = iter(inputs)
        while part := list(itertools.islice(source, size)):
            number, count = count // size, count + len(part)
            yield number, np.stack(part + [part[-1]] * (size - len(part)))

    found = dict(prepared.network.stream(batches()))
    ordered = [found[number] for number in sorted(found)]
    return {name: np.concatenate([outputs[name] for outputs in ordered])[:count] for name in ordered[0]}
