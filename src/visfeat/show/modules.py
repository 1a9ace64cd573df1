"""A model as a module of torch, for what needs gradients or a look inside: also a run's, and the bundled network's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file

from visfeat.engine.prepare import resolve
from visfeat.errors import ModelError, UsageError
from visfeat.models.describe import Description, describe
from visfeat.models.registry import load_model
from visfeat.models.runs import SETTINGS, WEIGHTS, is_run, run_folder
from visfeat.models.source import ModelRequest, ModuleModel
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
    preprocess = Preprocessor(model.card.input, crop=recipe.crop, method=recipe.preprocess)
    return OpenModel(model, resolved, preprocess)


def _module(recipe: Recipe) -> ModuleModel:
    name = recipe.model
    if is_run(name) or name.startswith("run/"):
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


def module_of_run(name: str) -> ModuleModel:
    """A trained run's module with its weights; raises UnknownModel, ModelError, MissingExtra."""
    from visfeat.train.build import build
    from visfeat.train.run_card import RunCard
    from visfeat.train.settings import Settings

    folder = run_folder(name.removeprefix("run/"))
    card = RunCard.load(folder)
    if card.input is None or not (folder / WEIGHTS).is_file():
        raise ModelError(f"{name}: this run has no network over pictures ({card.architecture.model})")
    # Built with random weights: its own ones replace them all.
    settings = Settings.from_toml(folder / SETTINGS, weights="random:0")
    built = build(settings, card.input, len(card.classes))
    built.module.load_state_dict(load_file(Path(folder / WEIGHTS)))
    known = Description(name=name, source="visfeat train", input=card.input, classifier=True, class_names=card.classes)
    return describe(built.module, known, ModelRequest(name))
