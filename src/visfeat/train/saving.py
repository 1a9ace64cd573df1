"""From a trained network to the files of its run: weights, packed model, the LSTM's own part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn

from visfeat.engine.pack import pack
from visfeat.errors import CannotPack
from visfeat.models.describe import Description, describe
from visfeat.models.runs import BACKBONE, PACKED, SEQUENCE, WEIGHTS
from visfeat.models.source import ModelRequest, ModuleModel
from visfeat.recipe import Recipe
from visfeat.train.build import Built
from visfeat.train.models.cnn_lstm import Attention, CnnLstm
from visfeat.train.run_card import SequenceCard


@dataclass(frozen=True)
class Saved:
    """What the card must say of the files."""

    versions: dict[str, str]
    not_packed: str | None = None
    sequence: SequenceCard | None = None
    recipe: dict[str, Any] | None = None


def save_model(
    folder: Path,
    name: str,
    built: Built,
    classes: Sequence[str],
    *,
    heads: Sequence[str] = (),
    multilabel: bool = False,
) -> Saved:
    """Write weights and packed model; what cannot be packed is said in what is returned.

    ``heads`` and ``multilabel`` say which classes exclude each other.
    """
    save_tensors(folder / WEIGHTS, built.module.state_dict())
    known = Description(
        name=name,
        source="visfeat train",
        input=built.input,
        classifier=True,
        class_names=tuple(classes),
        heads=tuple(heads),
        multilabel=multilabel,
        libraries=built.libraries,
    )
    model = describe(built.module, known, ModelRequest(name))
    not_packed = None
    try:
        pack(model).save(folder / PACKED)
    except CannotPack as error:
        (folder / PACKED).unlink(missing_ok=True)
        not_packed = str(error)
    saved = Saved(dict(model.card.versions), not_packed)
    if isinstance(built.module, CnnLstm):
        return _with_sequence(folder, name, built, built.module, saved)
    return saved


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a safetensors file, whole or not at all; tensors that share memory are written apart."""
    scratch = path.with_name(f".{path.name}")
    save_file({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, scratch)
    scratch.replace(path)


def _with_sequence(folder: Path, name: str, built: Built, module: CnnLstm, saved: Saved) -> Saved:
    """The LSTM, its pooling and its head on their own, and the recipe of the rows that it reads."""
    assert built.backbone is not None
    attends = isinstance(module.pool, Attention)
    tensors = dict(module.lstm.state_dict())
    tensors |= {f"fc.{key}": value for key, value in module.fc.state_dict().items()}
    tensors |= {f"attention.{key}": value for key, value in module.pool.state_dict().items()}
    save_tensors(folder / SEQUENCE, tensors)
    recipe = built.backbone.recipe or _pack_backbone(folder, name, built)
    card = SequenceCard(
        features=built.backbone.features,
        hidden=module.lstm.hidden_size,
        layers=module.lstm.num_layers,
        bidirectional=module.lstm.bidirectional,
        pool="attention" if attends else "last",
        steps=built.input.clip_frames,
    )
    fields = recipe.model_dump(mode="json", exclude_none=True)
    return Saved(saved.versions, saved.not_packed, card, fields)


def _pack_backbone(folder: Path, name: str, built: Built) -> Recipe:
    """The backbone as it was trained, as a model of its own; the recipe names it relative to the run."""
    assert built.backbone is not None
    spec = built.input.model_copy(update={"clip_frames": 1, "clip_fps": None, "clip_lengths": ()})
    known = Description(name=f"{name}/backbone", source="visfeat train", input=spec, classifier=False)
    module: nn.Module = built.backbone.module
    model: ModuleModel = describe(module, known, ModelRequest(name))
    pack(model).save(folder / BACKBONE)
    return Recipe(model=BACKBONE, layers=(model.card.default_layer,), fps=built.input.clip_fps)
