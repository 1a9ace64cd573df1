"""What a network is shown: one picture, or one clip of a video, as the network's own input."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from visfeat.card import InputSpec
from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.open import open_decoder
from visfeat.errors import naming
from visfeat.extraction.moment import input_at
from visfeat.flow.color_wheel import colored
from visfeat.flow.field import from_bytes
from visfeat.media.read import identify_path
from visfeat.preprocess import Preprocessor
from visfeat.recipe import Recipe

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Look:
    """One input of a network; ``pixels`` uint8 ``(T, H, W, C)``, T = 1 for a network of pictures."""

    name: str
    """The file's name."""
    pixels: Pixels
    start_s: float
    """NaN of a still image."""

    @property
    def pictures(self) -> Pixels:
        """The same for people: uint8 ``(T, H, W, 3)``, optical flow in colors."""
        if self.pixels.shape[-1] == 3:
            return self.pixels
        return np.stack([colored(from_bytes(field)) for field in self.pixels])

    @property
    def title(self) -> str:
        """Name and moment."""
        return self.name if np.isnan(self.start_s) else f"{self.name} at {self.start_s:.2f} s"

    def normalized(self, spec: InputSpec) -> NDArray[np.float32]:
        """What the network's first layer sees: float32 ``(1, C, H, W)``, or ``(1, C, T, H, W)`` for clips."""
        values = ((self.pixels / 255 - np.array(spec.mean)) / np.array(spec.std)).astype(np.float32)
        batch = np.ascontiguousarray(np.moveaxis(values, -1, 0)[None])
        return batch if spec.clip_frames > 1 else batch[:, :, 0]


def look(path: str | os.PathLike[str], recipe: Recipe, preprocess: Preprocessor, at_s: Fraction | None = None) -> Look:
    """The input that a network is given of a file.

    Of a video: the frame on display at ``at_s`` or the clip that begins there, by default the first; near the end the
    last clip. ``recipe`` has no open field. Raises MediaError that names the file, UsageError for a moment that is not
    there.
    """
    with naming(path):
        item, content = identify_path(path)
        options = DecodeOptions(reducible_to_px=preprocess.reducible_to_px, stream=recipe.stream)
        with closing(open_decoder(item, content, options)) as decoder:
            said = os.fspath(path) if at_s is None else f"--at {float(at_s):g}s: {os.fspath(path)}"
            chosen = input_at(decoder, recipe, preprocess, at_s, name=said)
    return Look(os.path.basename(item.path), chosen.pixels[0], chosen.start_s)
