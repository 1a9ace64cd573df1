"""The card of a trained run: ``model.toml``, all that a reader must know of it, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from visfeat.card import InputSpec
from visfeat.errors import ModelError
from visfeat.models.runs import CARD, read_card
from visfeat.train.settings import Architecture

FORMAT = 1


class SequenceCard(BaseModel):
    """The LSTM of a run: what its weights in ``sequence.safetensors`` are.

    ``kind`` lstm has the names of torch's LSTM (``weight_ih_l0`` ... ``bias_hh_l0``, ``_reverse`` of the second
    direction), for ``pool = "attention"`` also ``attention.project`` and ``attention.score``, and the head ``fc``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["lstm", "lstm_autoencoder"] = "lstm"
    features: int
    """Length of the vectors that it reads."""
    hidden: int
    layers: int
    bidirectional: bool
    pool: Literal["last", "attention"]
    steps: int | None = None
    """How many vectors the sequences of the training had."""


class DataCard(BaseModel):
    """What a run was trained on: counts of samples by split and by class; ``digest`` names contents and labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[str, ...]
    digest: str
    splits: dict[str, int]
    balance: dict[str, int]
    """Class -> samples in the training split."""
    rejected: int = 0


class RunCard(BaseModel):
    """model.toml as types."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    name: str
    classes: tuple[str, ...] = ()
    multilabel: bool = False
    heads: tuple[str, ...] = ()
    """Columns of labels where there were several; the classes are then called ``column=label``."""
    architecture: Architecture
    input: InputSpec | None = None
    """None where the run's input are stored features."""
    data: DataCard
    metrics: dict[str, float] = {}
    """Of the best checkpoint: ``val_top1``, ``test_top1``, ...."""
    training: dict[str, Any] = {}
    """Epochs, steps, seconds, device, and the step of the best checkpoint."""
    versions: dict[str, str] = {}
    not_packed: str | None = None
    """Why there is no packed model, where there is none."""
    sequence: SequenceCard | None = None
    recipe: dict[str, Any] | None = None
    """Fields of the Recipe whose rows the LSTM reads, a frame each."""

    def save(self, folder: Path) -> None:
        """Write ``model.toml``, whole or not at all."""
        scratch = folder / f".{CARD}"
        scratch.write_text(tomli_w.dumps(self.model_dump(mode="json", exclude_none=True)), "utf-8")
        scratch.replace(folder / CARD)

    @classmethod
    def load(cls, folder: Path) -> RunCard:
        """Read it; raises ModelError that names the file and the field."""
        try:
            return cls.model_validate(read_card(folder))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise ModelError(f"{folder / CARD}: {field}: {first['msg']}") from None
