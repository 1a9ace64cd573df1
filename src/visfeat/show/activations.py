"""What a network makes of one picture or moment: the values of its layers as they are, before any pooling."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction

from visfeat.card import LayerSpec
from visfeat.engine.activations import Values, activations
from visfeat.engine.prepare import Prepared
from visfeat.show.look import Look, look


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
    outputs = activations(prepared.network, [shown.pixels])
    return Seen(shown, {name: values[0] for name, values in outputs.items()}, prepared)
