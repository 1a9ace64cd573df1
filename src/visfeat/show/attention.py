"""Attention of a transformer to the places of a picture: of each head, and through all layers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import MissingExtra, UnknownLayer, UsageError, nearest_names
from visfeat.models.shapes import count_prefix
from visfeat.recipe import Recipe, recipe_of
from visfeat.show.look import Look, look
from visfeat.show.maps import patches_shape

Weights = NDArray[np.float32]
"""Of one layer: ``(heads, tokens, tokens)``, each row adding up to 1."""


@dataclass(frozen=True)
class Attention:
    """What a transformer attended to; all layers have the same tokens."""

    look: Look
    layers: dict[str, Weights]
    prefix_tokens: int
    """Class and register tokens before the patches."""
    places: tuple[int, int, int]
    """Steps of time, rows and columns of patches."""

    def chosen(self, layer: str | None) -> str:
        """The layer of that name, or the one within it; the last by default. Raises UnknownLayer."""
        names = list(self.layers)
        if layer is None:
            return names[-1]
        within = [name for name in names if name == layer or name.startswith(f"{layer}.")]
        if not within:
            raise UnknownLayer(f"no attention in layer {layer!r}{nearest_names(layer, names)} ({', '.join(names)})")
        return within[-1]

    def of_heads(self, layer: str) -> NDArray[np.float32]:
        """How much the class token, or without one the mean patch, attends to each place: ``(heads, T, h, w)``."""
        return self._at_places(self.layers[layer])

    def rolled_out(self) -> NDArray[np.float32]:
        """The same through all layers, of attention rollout: ``(T, h, w)``."""
        rolled: NDArray[np.float32] = self._at_places(rollout(list(self.layers.values()))[None])[0]
        return rolled

    def _at_places(self, weights: Weights) -> NDArray[np.float32]:
        first = self.prefix_tokens
        rows: Weights = weights[:, 0] if first else weights.mean(axis=1)
        return np.asarray(rows[:, first:].reshape(-1, *self.places), dtype=np.float32)


def rollout(layers: Sequence[Weights]) -> Weights:
    """Attention rollout (Abnar and Zuidema, "Quantifying attention flow in transformers", ACL 2020).

    With W_l the mean over the heads of layer l, and half of what a token becomes coming past the attention,

        A_l = (W_l + I) / 2,        R = A_L ... A_2 A_1

    R ``(tokens, tokens)`` says how much of each token of the input is in each token of the output; its rows add up
    to 1. ``layers`` from first to last.
    """
    tokens = layers[0].shape[-1]
    rolled = np.eye(tokens)
    for weights in layers:
        rolled = (weights.mean(axis=0, dtype=np.float64) + np.eye(tokens)) / 2 @ rolled
    return rolled.astype(np.float32)


def attention(
    path: str | os.PathLike[str],
    *,
    at_s: Fraction | None = None,
    recipe: Recipe | str | os.PathLike[str] | None = None,
    **options: Any,
) -> Attention:
    """The attention of a transformer for a picture, or for a frame or clip of a video.

    ``recipe`` and ``options`` as for ``extract``. Raises UsageError for a network without attention over the whole
    picture, MissingExtra without torch, MediaError, and what loading a model raises.
    """
    try:
        from visfeat.show.modules import open_module
        from visfeat.show.torch_attention import attention_weights
    except ModuleNotFoundError as error:
        raise MissingExtra(f"attention ({error.name})", extra="torch") from None
    chosen = recipe_of(recipe, options)
    opened = open_module(chosen)
    card = opened.model.card
    shown = look(path, opened.recipe, opened.preprocess, at_s)
    found = attention_weights(opened.model.module, shown.normalized(card.input))
    frames = card.input.clip_frames
    by_tokens: dict[int, dict[str, Weights]] = {}
    for name, weights in found.items():
        by_tokens.setdefault(weights.shape[-1], {})[name] = weights
    for tokens, layers in sorted(by_tokens.items(), key=lambda group: -len(group[1])):
        known = [spec.prefix_tokens for spec in card.layers if spec.kind == "tokens" and spec.shape[0] == tokens]
        prefix = known[0] if known else count_prefix(tokens, None, frames)
        places = patches_shape(tokens - prefix, frames)
        if places is not None and places[1] > 1:
            return Attention(shown, layers, prefix, places)
    raise UsageError(
        f"{chosen.model}: has no attention from everywhere to everywhere in the picture; a vision transformer has, "
        "such as timm/vit_small_patch16_224"
    )
