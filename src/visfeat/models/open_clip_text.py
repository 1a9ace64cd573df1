"""Text towers of open_clip: texts as vectors in the space of the images, by the very model that made these.

Radford et al., Learning transferable visual models from natural language supervision (CLIP), ICML 2021: a picture's
class is that of the text with the largest cosine, ``p = softmax(scale * cosine)``; the model has learned the scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from visfeat.errors import ModelError, UsageError
from visfeat.models.hub import fetching
from visfeat.models.open_clip import build_model, read_whole
from visfeat.models.source import ModelRequest
from visfeat.models.taps import freeze
from visfeat.models.weights import random_seed, weights_digest
from visfeat.recipe import Recipe

SOURCE = "open_clip/"


@dataclass(frozen=True)
class TextVectors:
    """values: float32 ``(T, D)`` of unit length, one a text; scale: what cosines are multiplied by before a softmax."""

    values: NDArray[np.float32]
    scale: float


def text_vectors(recipe: Recipe, texts: Sequence[str]) -> TextVectors:
    """Texts in the space of the rows that a recipe of open_clip makes.

    recipe: with its model, weights and their digest, as a store keeps it. Raises UsageError for a model without a text
    tower or for an empty text, and ModelError where its weights are no longer those of the recipe, where the file of
    weights holds the image tower alone, or where the tokenizer cannot be had.
    """
    if not recipe.model.startswith(SOURCE):
        raise UsageError(f"{recipe.model} has no text tower; models of open_clip have (visfeat models 'open_clip/*')")
    if not texts or not all(text.strip() for text in texts):
        raise UsageError("texts must say something: a cat, a dog")
    architecture = recipe.model.removeprefix(SOURCE).partition("/")[0]
    with fetching(recipe.model):
        tokens = _tokenizer(architecture)(list(texts))
    model: Any = freeze(_model(recipe).float().cpu())
    with torch.inference_mode():
        values = model.encode_text(tokens, normalize=True)
        scale = float(model.logit_scale.exp())
    return TextVectors(np.asarray(values.numpy(), np.float32), scale)


def _tokenizer(architecture: str) -> Any:
    import open_clip

    return open_clip.get_tokenizer(architecture)


def _model(recipe: Recipe) -> Any:
    """Both towers, the image tower being the one that made the recipe's rows."""
    name = recipe.model.removeprefix(SOURCE)
    architecture, _, tag = name.partition("/")
    size = recipe.input_size_px[0] if recipe.input_size_px else None
    for size_px in (None, size):  # the size with which it was loaded: its own, or another
        request = ModelRequest(name, recipe.weights, size_px)
        found = build_model(architecture, tag, request)
        if random_seed(recipe.weights) is None and recipe.weights != "pretrained":
            read_whole(found, request)
        if recipe.weights_digest in (None, weights_digest(found.visual)):
            return found
    raise ModelError(f"{recipe.model}: its weights ({recipe.weights}) are no longer those that made the store's rows")
