"""From a labeled file to its samples: with the decoders and the preprocessing of extraction."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from visfeat.card import InputSpec
from visfeat.decode import DecodeOptions, open_decoder
from visfeat.extraction.inputs import network_inputs
from visfeat.extraction.work import reason_of
from visfeat.media.item import Kind, MediaItem
from visfeat.media.read import NEITHER, identify
from visfeat.preprocess import Preprocessor
from visfeat.recipe import Recipe
from visfeat.train.settings import Settings


@dataclass(frozen=True)
class Decoded:
    """What became of a file: its samples uint8 ``(n, T, H, W, 3)``, or the reason why there are none."""

    uri: str
    content_hash: str = ""
    samples: NDArray[np.uint8] | None = field(default=None, repr=False)
    reason: str | None = None
    starts_s: tuple[float, ...] = ()
    """Where each sample begins, in seconds after the first frame; NaN of a still image."""


def sampling_recipe(settings: Settings, spec: InputSpec) -> Recipe:
    """Which frames, and which clips of them, a video gives: the options of extract under the same names."""
    if spec.clip_frames == 1:
        return Recipe(every_s=None if settings.frames else settings.every_s, frames=settings.frames)
    by_time = settings.clip_fps or spec.clip_fps
    return Recipe(
        clip=spec.clip_frames,
        stride=settings.stride or spec.clip_frames,
        clip_fps=by_time,
        consecutive=None if by_time else True,
        tail="overlap",
    )


class FileDecoder:
    """Decodes files for one network; threads may share it."""

    def __init__(self, recipe: Recipe, spec: InputSpec) -> None:
        self._recipe = recipe
        self._preprocess = Preprocessor(spec)
        self._options = DecodeOptions(reducible_to_px=self._preprocess.reducible_to_px)

    def __call__(self, uri: str) -> Decoded:
        """Read, hash and decode a file; whatever is wrong with it becomes its reason."""
        item = MediaItem(uri, 0, 0)
        try:
            item, content = identify(item)
            if item.kind is Kind.IGNORED:
                return Decoded(uri, reason=NEITHER)
            if item.kind is Kind.IMAGE and self._recipe.clip is not None:
                return Decoded(uri, item.content_hash, reason="a still image, where the network sees clips")
            return self._samples(item, content)
        except Exception as error:  # noqa: BLE001 (one strange file must not end the run, nor a decoder's bug)
            return Decoded(uri, reason=reason_of(item, error))

    def _samples(self, item: MediaItem, content: bytes | None) -> Decoded:
        with closing(open_decoder(item, content, self._options)) as decoder:
            found = [
                (given.pixels[0], given.start_s) for given in network_inputs(decoder, self._recipe, self._preprocess)
            ]
            problem = decoder.problem
        if problem is not None:
            return Decoded(item.uri, item.content_hash, reason=problem)
        if not found:
            return Decoded(item.uri, item.content_hash, reason="it has no frame")
        pixels, starts_s = zip(*found, strict=True)
        return Decoded(item.uri, item.content_hash, np.stack(pixels), starts_s=starts_s)
