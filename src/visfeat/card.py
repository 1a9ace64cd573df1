"""ModelCard: what a model says of itself, kept as TOML beside its weights."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from visfeat.errors import ModelError, UnknownLayer, nearest_names
from visfeat.recipe import Fit, InputKind, Interpolation, PerChannel, Pool

LayerKind = Literal["vector", "map", "tokens", "other"]

CARD_VERSION = 1


class InputSpec(BaseModel):
    """How a picture becomes the network's input.

    ``fit = "crop"``: the short side is resized to ``resize_px``, then the center ``size_px`` is cut out.
    ``"squash"``: resized to ``size_px`` whatever the aspect ratio. ``"pad"``: the whole picture fits inside
    ``size_px``, the rest is filled with the mean color. Then ``(pixel / 255 - mean) / std``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: InputKind | None = None
    """``flow``: optical flow, two channels of a byte each (``visfeat.flow.field``); None is RGB pixels."""
    size_px: tuple[int, int]
    """Height and width that the network takes."""
    resize_px: int
    fit: Fit = "crop"
    interpolation: Interpolation = "bicubic"
    mean: PerChannel
    std: PerChannel
    resize_to_px: tuple[int, int] | None = None
    """Height and width before the center crop, whatever the aspect ratio; None where ``resize_px`` says it."""
    antialias: bool = True
    """False where the model was trained on pictures that were made smaller without a wider kernel (bilinear only)."""
    clip_frames: int = 1
    """How many frames the network sees at once; 1 for a network of pictures."""
    clip_fps: float | None = None
    """Frames a second of the clips that it was trained on."""
    clip_lengths: tuple[int, ...] = ()
    """The numbers of frames that it can take; empty where it takes any."""

    @property
    def channels(self) -> int:
        """Values a position: 3 of a picture, 2 of a field of flow."""
        return 2 if self.kind == "flow" else 3

    @model_validator(mode="after")
    def _one_number_a_channel(self) -> Self:
        for field in ("mean", "std"):
            if len(getattr(self, field)) != self.channels:
                raise ValueError(f"{field} must have {self.channels} numbers, one a channel")
        return self


class LayerSpec(BaseModel):
    """One layer that a dry run saw: its name, kind and the shape of its output without the batch axis."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: LayerKind
    shape: tuple[int, ...]
    """``(D,)`` of a vector, ``(C, H, W)`` or ``(H, W, C)`` of a map, ``(T, C)`` of tokens; a map of a clip has the axis
    of time before height: ``(C, T, H, W)`` or ``(T, H, W, C)``."""
    channels_last: bool = False
    """True for a map ``(H, W, C)``; it is delivered as ``(C, H, W)`` all the same."""
    prefix_tokens: int = 0
    """How many leading tokens are class or register tokens, not patches."""
    module: str = ""
    """The class of the module, for people ("Conv2d", "Block")."""


class ModelCard(BaseModel):
    """Everything that a reader needs to use and to trust a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """As the user names it: ``timm/resnet50``."""
    source: str = ""
    license: str = ""
    weights: str = "pretrained"
    weights_digest: str
    """Hex SHA-256 of the weights (names, shapes and bytes, in the order of their names)."""
    input: InputSpec
    layers: tuple[LayerSpec, ...]
    default_layer: str
    default_pool: Pool | None = None
    """Pooling of the default layer where it is not the one that its shape suggests."""
    normalize: bool = False
    """Whether the model's own embedding is L2-normalized (CLIP)."""
    logits_layer: str | None = None
    class_names: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    """Columns of labels with a softmax of their own, where there are several; classes are called ``column=label``."""
    multilabel: bool = False
    """Whether each class holds or not, whatever the others do."""
    versions: dict[str, str] = {}
    """Versions of the libraries that made it (torch, timm, openvino)."""
    card_version: int = CARD_VERSION

    def layer(self, name: str) -> LayerSpec:
        """The layer of that name; raises UnknownLayer with the nearest names."""
        for spec in self.layers:
            if spec.name == name:
                return spec
        hint = nearest_names(name, [spec.name for spec in self.layers])
        raise UnknownLayer(f"{self.name} has no layer {name!r}{hint} (visfeat layers {self.name} lists all)")

    def to_toml(self) -> str:
        """The card as TOML; fields that are None are left out, and the classes' groups where there are none.

        So a model that was packed before there were groups is still packed to the same bytes.
        """
        silent = {name for name in ("heads", "multilabel") if not getattr(self, name)}
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True, exclude=silent))

    @classmethod
    def from_toml(cls, text: str, *, subject: str | Path) -> ModelCard:
        """Read a card; raises ModelError that names the subject and the field."""
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ModelError(f"{subject}: the card is not valid TOML ({error})") from None
        version = data.get("card_version", CARD_VERSION)
        if not isinstance(version, int) or version > CARD_VERSION:
            raise ModelError(
                f"{subject}: card_version {version!r} is newer than this visfeat reads ({CARD_VERSION}); update visfeat"
            )
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise ModelError(f"{subject}: the card's {field}: {first['msg']}") from None
