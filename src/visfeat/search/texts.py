"""A text as a vector of a store's space, where the recipe's model has a text tower."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visfeat.card import ModelCard
from visfeat.errors import MissingExtra, UsageError
from visfeat.store.selection import Space

_SOURCE = "open_clip/"


def text_direction(space: Space, words: str) -> NDArray[np.float32]:
    """The text's vector float32 ``(D,)``, of unit length.

    Raises UsageError where the model has no text tower, or the rows are not the embedding that texts share; ModelError
    where the weights are no longer those that made the rows; MissingExtra without the extra ``text``.
    """
    stored = space.stored
    if not stored.recipe.model.startswith(_SOURCE):
        raise UsageError(
            f"--text {words!r}: {stored.recipe.model} has no text tower; models of open_clip have, such as "
            "open_clip/ViT-B-32 (visfeat extract --model)"
        )
    embedding = ModelCard.from_toml(stored.card_toml, subject=stored.title).default_layer
    if space.layer.layer != embedding or stored.recipe.temporal not in (None, "mean"):
        raise UsageError(f"--text {words!r}: texts lie among the rows of layer {embedding}; these are others ({space})")
    try:
        from visfeat.models.open_clip_text import text_vectors
    except ModuleNotFoundError as error:
        raise MissingExtra(f"--text ({error.name})", extra="text") from None
    found: NDArray[np.float32] = text_vectors(stored.recipe, [words]).values[0]
    return found
