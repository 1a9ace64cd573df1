"""Trained runs: the folder that ``visfeat train`` leaves is a model, by its path, and needs no torch.

What lies in a run's folder:

    model.toml            what it is: architecture, classes, input, data, splits, metrics, versions
    model.safetensors     the weights, for going on with them in torch
    model.vfmodel         the same packed: what is run
    sequence.safetensors  of an LSTM: its part of the weights, under torch's names
    backbone.vfmodel      of an LSTM over a network that was trained with it: that network

``train.toml`` says what was asked for; ``splits.csv``, ``rejected.csv``, ``metrics.json``, ``logs/`` and
``checkpoints/`` lie beside it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from visfeat.errors import ModelError, UnknownModel, UsageError
from visfeat.models.bundled import refuse_other_length, refuse_other_weights
from visfeat.models.packed import PackedModel
from visfeat.models.source import ModelRequest

CARD, WEIGHTS, PACKED = "model.toml", "model.safetensors", "model.vfmodel"
SEQUENCE, BACKBONE = "sequence.safetensors", "backbone.vfmodel"
SETTINGS = "train.toml"
"""What the run was asked to do; there from its first second on."""
RUNS = "runs"
"""The folder in which runs lie unless said otherwise."""
SOURCE = "run/"
"""What stands before a run's name in the card of its network."""


class TrainedRuns:
    """The source ``run``: a folder with a model.toml, or ``run/NAME`` for one in the folder runs."""

    needs_torch = False

    def names(self) -> list[str]:
        """The finished runs in the folder runs, where there is one."""
        return sorted(path.parent.name for path in Path(RUNS).glob(f"*/{CARD}"))

    def load(self, request: ModelRequest) -> PackedModel:
        """Read the packed model; raises UnknownModel, ModelError, and UsageError where another input is asked for."""
        folder = run_folder(request.name)
        refuse_other_weights(request.name, request)
        if not (folder / PACKED).is_file():
            reason = read_card(folder).get("not_packed", f"it has no {PACKED}")
            raise ModelError(f"{request.name}: this run cannot be run without torch ({reason})")
        packed = PackedModel.load(folder / PACKED)
        refuse_other_length(request.name, packed.card, request)
        height, width = packed.card.input.size_px
        if request.size_px is not None and (height, width) != (request.size_px, request.size_px):
            raise UsageError(f"--size {request.size_px}: {request.name} was trained on {height} x {width} pixels")
        return packed


def is_run(model: str) -> bool:
    """Whether a model's name is the path of a run that is finished, or was begun."""
    return bool(model) and any((Path(model).expanduser() / name).is_file() for name in (CARD, SETTINGS))


def names_run(model: str) -> bool:
    """Whether a model's name means a run: its path, or ``run/NAME`` as cards have it."""
    return model.startswith(SOURCE) or is_run(model)


def run_folder(name: str) -> Path:
    """The folder of a finished run: the path, else that name in the folder runs; ``run/`` may stand before it.

    Raises UnknownModel where there is none, ModelError where its training has not ended.
    """
    path = Path(name.removeprefix(SOURCE)).expanduser()
    for folder in (path, Path(RUNS) / path):
        if (folder / CARD).is_file():
            return folder
        if (folder / SETTINGS).is_file():
            raise ModelError(f"{name}: its training has not ended; the same visfeat train goes on with it")
    raise UnknownModel(f"no trained run {name} (a run is a folder with a {CARD}; visfeat train makes one)")


def read_card(folder: Path) -> dict[str, Any]:
    """The run's model.toml as it stands; raises ModelError where it cannot be read."""
    try:
        return tomllib.loads((folder / CARD).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"{folder / CARD}: cannot be read ({error})") from None
