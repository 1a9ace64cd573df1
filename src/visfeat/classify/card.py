"""The card of a classifier: ``classifier.toml``, all that a reader must know of it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from visfeat.classify.learners import Method
from visfeat.errors import ModelError

CARD, ARRAYS = "classifier.toml", "classifier.safetensors"
RECIPE = "recipe.toml"
"""The card's recipe as a file for ``visfeat extract --recipe``."""
FORMAT = 1


class ClassifierCard(BaseModel):
    """classifier.toml as types; the arrays beside it hold what was learned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    method: Method
    classes: tuple[str, ...] = Field(min_length=2)
    recipe_digest: str
    """Whose rows it was fitted on, and takes."""
    model: str
    layer: str
    dimension: int = Field(ge=1)
    c: float | None = None
    """Of linear: the inverse strength of the penalty."""
    k: int | None = Field(default=None, ge=1)
    """Of knn: how many neighbors vote."""
    counts: tuple[int, ...] | None = None
    """Of knn: how many vectors each class has, in the order of the classes."""
    calibration: Literal["temperature", "none"]
    temperature: float = Field(gt=0, allow_inf_nan=False)
    """Of a row's scores."""
    item_temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Of the logarithm of the mean probabilities of a video's rows."""
    arrays_digest: str
    """Hex SHA-256 of what was learned."""
    labels: str = ""
    """What the labels were read from."""
    items: int = 0
    rows: int = 0
    groups_of_class: dict[str, int] = {}
    """Class -> how many different contents, or groups of them, it was learned from."""
    folds: int = 0
    """Of the cross-validation; 0 where nothing could be held out."""
    held_out: dict[str, float] = {}
    """What cross-validation measured: top1 and log_loss of held-out rows."""
    tried: dict[str, float] = {}
    """C or k -> log loss of held-out rows."""
    notes: tuple[str, ...] = ()
    """What could not be done, for people."""
    recipe: dict[str, Any] = {}
    """The recipe's fields."""
    versions: dict[str, str] = {}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("a class is named twice")
        if self.method == "knn" and (self.k is None or self.counts is None or len(self.counts) != len(self.classes)):
            raise ValueError("knn needs k, and counts with one number a class")
        if any(count < 0 for count in self.counts or ()):
            raise ValueError("counts cannot be negative")
        return self

    def save(self, folder: Path) -> None:
        """Write the recipe, then the card, whole or not at all."""
        (folder / RECIPE).write_text(tomli_w.dumps(self.recipe), "utf-8")
        scratch = folder / f".{CARD}"
        scratch.write_text(tomli_w.dumps(self.model_dump(mode="json", exclude_none=True)), "utf-8")
        scratch.replace(folder / CARD)

    @classmethod
    def load(cls, folder: Path) -> ClassifierCard:
        """Read it; raises ModelError that names the file and the field."""
        path = folder / CARD
        try:
            data = tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise ModelError(f"{folder}: no classifier, it has no {CARD}; visfeat classify fit makes one") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ModelError(f"{path}: cannot be read ({error})") from None
        version = data.get("format", FORMAT)
        if not isinstance(version, int) or version > FORMAT:
            raise ModelError(f"{path}: format {version!r} is newer than this visfeat reads ({FORMAT}); update visfeat")
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "the card"
            raise ModelError(f"{path}: {field}: {first['msg'].removeprefix('Value error, ')}") from None
