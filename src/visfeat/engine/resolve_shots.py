"""Which network finds shots, and how sure it must be: the fields of a recipe that looks at a video by its shots."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from visfeat.models.bundled import BundledModels
from visfeat.models.source import ModelRequest
from visfeat.recipe import Recipe

SHOT_MODEL = "transnetv2"
SHOT_THRESHOLD = 0.5
"""The least probability of a change."""


def shot_fields(recipe: Recipe) -> dict[str, Any]:
    """``shots_digest``, where the recipe asks for shots."""
    if recipe.frames_per_shot is None and recipe.segments is None:
        return {"shots_digest": None}
    return {"shots_digest": shots_digest()}


@cache
def shots_digest(threshold: float = SHOT_THRESHOLD) -> str:
    """16 hex digits that name the network which finds shots, and the threshold."""
    model = BundledModels().load(ModelRequest(SHOT_MODEL)).digest
    return hashlib.sha256(f"{model}:{threshold:g}".encode()).hexdigest()[:16]
