"""A finished run as a module of torch again: to look inside, to export it, to go on with it."""

from __future__ import annotations

from safetensors.torch import load_file

from visfeat.errors import ModelError
from visfeat.models.describe import Description, describe
from visfeat.models.runs import SETTINGS, WEIGHTS, run_folder
from visfeat.models.source import ModelRequest, ModuleModel
from visfeat.train.build import build
from visfeat.train.run_card import RunCard
from visfeat.train.settings import Settings


def module_of_run(name: str) -> ModuleModel:
    """A trained run's module with its weights; raises UnknownModel, ModelError, MissingExtra."""
    folder = run_folder(name)
    card = RunCard.load(folder)
    if card.input is None or not (folder / WEIGHTS).is_file():
        raise ModelError(f"{name}: this run has no network over pictures ({card.architecture.model})")
    # Built with random weights: its own ones replace them all.
    settings = Settings.from_toml(folder / SETTINGS, weights="random:0")
    built = build(settings, card.input, len(card.classes))
    built.module.load_state_dict(load_file(folder / WEIGHTS))
    known = Description(
        name=name,
        source="visfeat train",
        input=card.input,
        classifier=True,
        class_names=card.classes,
        heads=card.heads,
        multilabel=card.multilabel,
    )
    return describe(built.module, known, ModelRequest(name))
