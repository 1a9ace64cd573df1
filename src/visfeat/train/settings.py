"""What a training run is asked to do: data, model, input, loop. TOML in and out, in the words of the command line."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from visfeat.durations import positive_fraction, seconds
from visfeat.errors import UsageError
from visfeat.recipe import Fit, Interpolation, complaint, read_options

Cache = Literal["auto", "ram", "disk", "none"]
Schedule = Literal["onecycle", "cosine", "constant"]
Optimizer = Literal["adamw", "adam", "sgd"]

_MODEL = "model", "weights", "dropout", "width", "channels", "batch_norm", "freeze", "unfreeze_last"
_SEQUENCE = "backbone", "hidden", "lstm_layers", "bidirectional", "lstm_pool", "conditioned"
_RUN = ("out", "cache", "device", "devices", "threads", "logger")
"""What says where and how a run is computed and not what it learns."""
_LISTS = ("data", "labels", "augment", "logger", "mean", "std")


class Architecture(BaseModel):
    """Which network, and its options; an option that a network has not is left at None.

    ``model``: cnn, c3d, cnn_lstm, lstm_autoencoder, or a known network with a new head: ``timm/resnet50``,
    ``torchvision/r3d_18``, ``bundled/efficientnet_lite0``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = "cnn"
    weights: str = "pretrained"
    """Of a known network or backbone: ``pretrained``, ``random:SEED`` or a file."""
    dropout: float | None = None
    width: int | None = None
    """Channels of the first convolution of cnn (32) and c3d (64)."""
    channels: Literal[1, 3] | None = None
    """Of cnn: 1 sees brightness alone, 3 colors."""
    batch_norm: bool = False
    """Of c3d."""
    freeze: bool = False
    """A known network learns its new head alone, and ``unfreeze_last`` layers before it."""
    unfreeze_last: int = 0
    backbone: str | None = None
    """Of cnn_lstm: what looks at each frame."""
    hidden: int | None = None
    lstm_layers: int | None = None
    bidirectional: bool = False
    lstm_pool: Literal["last", "attention"] | None = None
    conditioned: bool = False
    """Of lstm_autoencoder: its decoder reads what it wrote."""


class Settings(Architecture):
    """All options of a run; None means the model's own."""

    # Data.
    data: tuple[str, ...] = ()
    out: str | None = None
    val: float = 0.1
    """Share of the samples that validate, where the data do not say so themselves."""
    test: float = 0.0
    multilabel: bool = False
    labels: tuple[str, ...] = ("label",)
    """Of a table: its columns of labels; the network gets a head for each of several."""

    recipe: str | None = None
    """Of a store: the recipe whose rows are learned, by name or digest, and the ``layer`` where it has several."""
    layer: str | None = None

    # Input.
    size: int | None = None
    fit: Fit | None = None
    interpolation: Interpolation | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    every_s: Fraction | None = None
    """Of videos, for networks of pictures: a frame so often."""
    frames: int | None = None
    clip: int | None = None
    stride: int | None = None
    clip_fps: Fraction | None = None
    augment: tuple[str, ...] = ()
    """Random changes of the training pictures: ``flip``, ``shift:1``, ``crop:0.8``, ``rotate:10``, ``jitter:0.2``,
    ``erase:0.25``; on clips the same for all frames."""

    # Loop.
    epochs: int = 10
    batch_size: int = 64
    lr: float = 1e-3
    optimizer: Optimizer = "adamw"
    weight_decay: float | None = None
    """None is 0.01 for adamw, which shrinks the weights themselves (Loshchilov and Hutter 2019), and 0 for sgd and
    adam, to whose gradients it is added."""
    schedule: Schedule = "onecycle"
    clip_norm: float | None = None
    """Gradients longer than this are shortened to it."""
    label_smoothing: float = 0.0
    patience: int | None = None
    """Stop after so many epochs without a better validation."""
    seed: int = 0
    precision: Literal["f32", "bf16", "fp16"] = "f32"
    checkpoint_steps: int | None = None
    """A checkpoint every so many steps, beside the one at each epoch's end."""

    # Computing.
    device: str = "auto"
    devices: int = 1
    cache: Cache = "auto"
    threads: int | None = None
    logger: tuple[str, ...] = ("csv", "tensorboard")

    @field_validator("every_s", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        return seconds(value) if isinstance(value, str) else value

    @field_validator("clip_fps", mode="before")
    @classmethod
    def _exact(cls, value: Any) -> Any:
        return None if value is None else positive_fraction(value)

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        for field in ("epochs", "batch_size", "size", "clip", "stride", "frames", "patience", "devices", "width"):
            value = getattr(self, field)
            if value is not None and value < 1:
                raise ValueError(f"{field} must be at least 1, not {value}")
        if not (self.val >= 0 and self.test >= 0 and self.val + self.test < 1):
            raise ValueError("val and test are shares of the data and leave some for training")
        if self.lr <= 0 or self.unfreeze_last < 0 or (self.clip_norm is not None and self.clip_norm <= 0):
            raise ValueError("lr and clip_norm must be more than 0, unfreeze_last not negative")
        if not all(name and not set("=|") & set(name) for name in self.labels) or not self.labels:
            raise ValueError(f"labels are names of columns without = and |, not {', '.join(self.labels) or 'none'}")
        if self.multilabel and len(self.labels) > 1:
            raise ValueError("labels: several columns and --multilabel exclude each other")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is a share from 0 to 1, not {self.dropout}")
        return self

    @property
    def architecture(self) -> Architecture:
        """The model's part."""
        return Architecture(**{name: getattr(self, name) for name in (*_MODEL, *_SEQUENCE)})

    @property
    def heads(self) -> tuple[str, ...]:
        """The columns of labels where there are several."""
        return self.labels if len(self.labels) > 1 else ()

    @property
    def digest(self) -> str:
        """16 hex digits that name what is learned: equal for runs that differ in device, cache or logs alone."""
        data = self.model_dump(mode="json", exclude=set(_RUN))
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]

    def differing(self, other: Settings) -> list[str]:
        """The options in which two runs differ, as the command line calls them."""
        fields = [name for name in Settings.model_fields if name not in _RUN]
        return [option(name) for name in fields if getattr(self, name) != getattr(other, name)]

    def to_toml(self) -> str:
        """The settings as TOML that ``from_toml`` reads back; open fields are left out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    @classmethod
    def from_options(cls, **options: Any) -> Settings:
        """Settings from options, None for one that is not given; raises UsageError that names the option."""
        try:
            return cls(**{name: value for name, value in options.items() if value is not None})
        except ValidationError as error:
            raise UsageError(complaint(error, cls.model_fields, option)) from None

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str], **options: Any) -> Settings:
        """Read a file, with options on top; ``out`` is the file's stem in runs unless said otherwise.

        Paths of data are relative to the file. Raises UsageError.
        """
        path = Path(path)
        said = _fields(read_options(path, subject=""))
        said["data"] = tuple(os.path.join(path.parent, source) for source in said.get("data", ()))
        given = {name: value for name, value in options.items() if value is not None}
        try:
            return cls(**({"out": os.path.join("runs", path.stem)} | said | given))
        except ValidationError as error:
            raise UsageError(f"{path}: {complaint(error, cls.model_fields, option)}") from None


def option(field: str) -> str:
    """The command line's name of a field."""
    return "--" + field.removesuffix("_s").replace("_", "-")


def _fields(said: Mapping[str, Any]) -> dict[str, Any]:
    """A file's words as fields: ``clip-fps``, ``every = "1s"``, ``data = "photos"``."""
    fields: dict[str, Any] = {}
    for word, value in said.items():
        name = word.replace("-", "_")
        name = "every_s" if name == "every" else name
        fields[name] = tuple(value.split(",")) if name in _LISTS and isinstance(value, str) else value
    return fields
