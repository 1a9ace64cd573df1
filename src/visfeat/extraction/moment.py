"""One input of a network out of a video: the frame on display at a moment, or the clip that begins there."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from visfeat.decode.decoder import Decoder
from visfeat.errors import BrokenMedia, UsageError
from visfeat.extraction.inputs import NetworkInput, network_inputs
from visfeat.preprocess import Preprocessor
from visfeat.recipe import SAMPLING_FIELDS, Recipe


def input_at(
    decoder: Decoder, recipe: Recipe, preprocess: Preprocessor, at_s: Fraction | None, *, name: str
) -> NetworkInput:
    """What a network is given of an open video at ``at_s``, by default of its beginning, or of a still image.

    Of a clip network the first clip that begins then or later; near the end the last one. ``recipe`` has no open field.
    Raises MediaError where nothing can be decoded, UsageError that begins with ``name`` for a moment that is not there.
    """
    if preprocess.spec.clip_frames > 1:
        return _choose(network_inputs(decoder, recipe.but(stride=1), preprocess), at_s, name)
    every_frame = recipe.but(**dict.fromkeys(SAMPLING_FIELDS) | {"every_frame": True, "keyframes": False})
    if at_s is None or preprocess.flow is not None:
        return _choose(network_inputs(decoder, every_frame, preprocess), at_s, name)
    # Of pictures only the one on display is converted and resized.
    given = next(network_inputs(decoder, every_frame, preprocess, times_s=iter([at_s])), None)
    if given is None:
        raise UsageError(f"{name}: no frame is on display then; it ends at {_length_s(decoder):g} s")
    return _choose(iter([given]), at_s, name)


def _choose(inputs: Iterator[NetworkInput], at_s: Fraction | None, name: str) -> NetworkInput:
    """The first input that begins at the moment or later, or is a frame on display then; else the last one."""
    last: NetworkInput | None = None
    for given in inputs:
        if at_s is None:
            return given
        if np.isnan(given.start_s):
            raise UsageError(f"{name}: is a still image")
        is_frame = len(given.frame_index) == 1
        if given.start_s >= at_s or (is_frame and given.start_s <= at_s < given.end_s):
            return given
        last = given
    if last is None:
        raise BrokenMedia("no frame to look at")
    if at_s is not None and at_s >= last.end_s:
        raise UsageError(f"{name}: it ends at {last.end_s:g} s")
    return last


def _length_s(decoder: Decoder) -> float:
    return float(decoder.measure_duration_s() or 0)
