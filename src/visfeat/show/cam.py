"""Class activation: which places of a picture speak for a class, by Grad-CAM or by occlusion."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.class_groups import card_groups, probabilities
from visfeat.engine.activations import activations
from visfeat.engine.loading import Report
from visfeat.engine.prepare import prepare
from visfeat.errors import MissingExtra, UsageError
from visfeat.models.registry import source_of
from visfeat.recipe import Recipe, recipe_of
from visfeat.show.activations import show_network
from visfeat.show.classes import Asked, asked_class, logits_layer
from visfeat.show.look import Look, Pixels, look
from visfeat.show.occlusion import SQUARE_SHARE, Raster, occlusion


@dataclass(frozen=True)
class ClassMap:
    """What speaks for a class: ``heat`` float32 ``(t, h, w)`` over the T frames that were looked at."""

    look: Look
    asked: Asked
    heat: NDArray[np.float32]
    """Of Grad-CAM in the layer's resolution and not negative; of occlusion the drop of probability for each pixel."""
    how: str
    """The method in words."""


def class_map(
    path: str | os.PathLike[str],
    wanted: str | int | None = None,
    *,
    method: str | None = None,
    layer: str | None = None,
    square_px: int | None = None,
    at_s: Fraction | None = None,
    recipe: Recipe | str | os.PathLike[str] | None = None,
    report: Report = lambda _: None,
    **options: Any,
) -> ClassMap:
    """Which places of a picture, or of a frame or clip of a video, speak for a class.

    ``wanted``: a class by name or number, by default the most probable one. ``method``: Grad-CAM where the model is a
    module of torch, else occlusion, which runs any network; a trained run and the bundled network can have either.
    ``layer`` is Grad-CAM's, ``square_px`` occlusion's (a fourth of the picture). ``recipe`` and ``options`` as for
    ``extract``. Raises UsageError, MissingExtra, MediaError, and what loading a model raises.
    """
    chosen = recipe_of(recipe, options)
    if method is None:
        method = "gradcam" if layer is not None or source_of(chosen.model)[0].needs_torch else "occlusion"
    if method == "gradcam":
        if square_px is not None:
            raise UsageError("--square: is for --method occlusion")
        return _by_gradients(path, chosen, wanted, layer, at_s)
    if method != "occlusion":
        raise UsageError(f"--method {method}: there are gradcam and occlusion")
    if layer is not None:
        raise UsageError(f"--layer {layer}: is for --method gradcam; occlusion looks at the whole network")
    return _by_occlusion(path, chosen, wanted, square_px, at_s, report)


def _by_gradients(
    path: str | os.PathLike[str], recipe: Recipe, wanted: str | int | None, layer: str | None, at_s: Fraction | None
) -> ClassMap:
    try:
        from visfeat.show.modules import open_module
        from visfeat.show.torch_gradcam import grad_cam, logits_of
    except ModuleNotFoundError as error:
        raise MissingExtra(f"--method gradcam (unlike occlusion; {error.name} is missing)", extra="see") from None
    opened = open_module(recipe)
    card = opened.model.card
    logits_layer(card)
    shown = look(path, opened.recipe, opened.preprocess, at_s)
    pixels = shown.normalized(card.input)
    asked = asked_class(card, logits_of(opened.model, pixels), wanted, groups=card_groups(card))
    name, heat = grad_cam(opened.model, pixels, asked.index, layer)
    return ClassMap(shown, asked, heat, f"Grad-CAM of layer {name}")


def _by_occlusion(
    path: str | os.PathLike[str],
    recipe: Recipe,
    wanted: str | int | None,
    square_px: int | None,
    at_s: Fraction | None,
    report: Report,
) -> ClassMap:
    prepared = prepare(recipe.but(layers=None), report=report, choose_layers=logits_layer)
    seen = show_network(path, prepared, at_s)
    card, layer = prepared.card, prepared.layers[0].name
    groups = card_groups(card)
    asked = asked_class(card, seen.values[layer].reshape(-1), wanted, groups=groups)
    spec = prepared.preprocessor.spec
    side = min(spec.size_px)
    square = max(1, side // SQUARE_SHARE) if square_px is None else square_px
    if not 1 <= square <= side:
        raise UsageError(f"--square {square}: the network's input has {spec.size_px[0]} x {spec.size_px[1]} pixels")
    fill = np.round(np.array(spec.mean) * 255).clip(0, 255).astype(np.uint8)
    pixels = seen.look.pixels
    raster = Raster.of((len(pixels), *spec.size_px), square)

    def probability(inputs: Iterable[Pixels]) -> NDArray[np.float64]:
        values = activations(prepared.network, inputs)[layer]
        return probabilities(values.reshape(len(values), -1), groups=groups)[:, asked.index]

    if len(pixels) > 1:
        report(f"{recipe.model} looks at the clip {1 + len(raster.squares())} times")
    drops = occlusion(pixels, probability, fill, raster)
    return ClassMap(seen.look, asked, raster.scaled_up(drops), f"occlusion by squares of {raster.square_px} px")
