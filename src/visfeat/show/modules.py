"""A model as a module of torch, for what needs gradients or a look inside: also a run's, and the bundled network's."""

from __future__ import annotations

from dataclasses import dataclass

from visfeat.engine.prepare import resolve
from visfeat.errors import UsageError
from visfeat.models.registry import load_model
from visfeat.models.runs import names_run
from visfeat.models.source import ModuleModel
from visfeat.preprocess import Preprocessor
from visfeat.recipe import Recipe

BUNDLED = "bundled/efficientnet_lite0"


@dataclass(frozen=True)
class OpenModel:
    """A module, and how pictures become its input."""

    model: ModuleModel
    recipe: Recipe
    """With no open field."""
    preprocess: Preprocessor


def open_module(recipe: Recipe) -> OpenModel:
    """Load the recipe's model as a module; raises UsageError where it is only a packed graph."""
    model = _module(recipe)
    if model.card.input.kind == "flow":
        raise UsageError(f"{model.card.name}: sees optical flow; only networks that see pixels are shown so")
    resolved = resolve(recipe.but(input=None), model.card, engine="torch", device="cpu")
    preprocess = Preprocessor(
        model.card.input, crop=recipe.crop, method=recipe.preprocess, mirror=bool(recipe.mirror), trim=bool(recipe.trim)
    )
    return OpenModel(model, resolved, preprocess)


def _module(recipe: Recipe) -> ModuleModel:
    name = recipe.model
    if names_run(name):
        from visfeat.train.reopening import module_of_run

        return module_of_run(name)
    if name == BUNDLED:
        from visfeat.train.known import bundled_module

        return bundled_module(recipe.weights, size_px=recipe.size)
    model = load_model(name, weights=recipe.weights, size_px=recipe.size, clip_frames=recipe.clip)
    if not isinstance(model, ModuleModel):
        raise UsageError(
            f"{name}: is packed, so its inside cannot be looked at; this needs a model of timm, torchvision, hf or "
            "open_clip, your own, or a trained run"
        )
    return model
