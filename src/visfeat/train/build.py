"""From settings to the network that is trained: one of our own, or a known one with a new head."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from visfeat.card import InputSpec
from visfeat.errors import UsageError
from visfeat.models.describe import seeded
from visfeat.models.registry import load_model, source_of
from visfeat.models.source import ModuleModel
from visfeat.models.weights import head_of
from visfeat.recipe import Recipe
from visfeat.train.known import BUNDLED, bundled_module, known_input
from visfeat.train.models.c3d import C3d
from visfeat.train.models.cnn import Cnn
from visfeat.train.models.cnn_lstm import CnnLstm, SequenceOptions
from visfeat.train.settings import Settings

CNN_SIDE_PX, BACKBONE_SIDE_PX, C3D_SIDE_PX = 28, 64, 112
CLIP_FRAMES, CLIP_FPS, LSTM_FPS = 16, 15.0, 5.0
DEFAULT_BACKBONE = BUNDLED


@dataclass(frozen=True)
class Backbone:
    """What looks at each frame for an LSTM."""

    module: nn.Module
    features: int
    recipe: Recipe | None
    """The frame recipe whose rows are this network's vectors; None where the run itself trained it."""


@dataclass(frozen=True)
class Built:
    """A network before its training, in training mode; ``head`` is the path of its last layer."""

    module: nn.Module
    input: InputSpec
    head: str
    backbone: Backbone | None = None
    libraries: tuple[str, ...] = field(default=("torch",))


def input_of(settings: Settings) -> InputSpec:
    """The input of the network that the settings name; what they say of size, mean and the like holds."""
    model = settings.model
    if model == "cnn":
        return _own_input(settings, CNN_SIDE_PX)
    if model == "c3d":
        return _own_input(settings, C3D_SIDE_PX, CLIP_FPS)
    if model == "cnn_lstm":
        backbone = settings.backbone or DEFAULT_BACKBONE
        if backbone == "cnn":
            return _own_input(settings, BACKBONE_SIDE_PX, LSTM_FPS)
        spec = known_input(backbone, size_px=settings.size)
        clip = {"clip_frames": settings.clip or CLIP_FRAMES, "clip_fps": float(settings.clip_fps or LSTM_FPS)}
        return _said(spec.model_copy(update=clip), settings)
    spec = known_input(model, size_px=settings.size, clip_frames=settings.clip)
    return _said(spec, settings)


def build(settings: Settings, spec: InputSpec, classes: int) -> Built:
    """The network, its random weights drawn from the settings' seed.

    Raises UsageError, UnknownModel, ModelError or MissingExtra.
    """
    with seeded(f"random:{settings.seed}"):
        if settings.model == "cnn":
            return Built(_cnn(settings, spec, classes), spec, "fc2")
        if settings.model == "c3d":
            return Built(_c3d(settings, spec, classes), spec, "fc8")
        if settings.model == "cnn_lstm":
            return _cnn_lstm(settings, spec, classes)
        return _known(settings, spec, classes)


def _cnn(settings: Settings, spec: InputSpec, classes: int) -> Cnn:
    return Cnn(
        classes,
        size_px=spec.size_px,
        channels=settings.channels or 1,
        width=settings.width or 32,
        dropout=settings.dropout or 0.0,
    )


def _c3d(settings: Settings, spec: InputSpec, classes: int) -> C3d:
    return C3d(
        classes,
        clip_frames=spec.clip_frames,
        size_px=spec.size_px,
        width=settings.width or 64,
        dropout=0.5 if settings.dropout is None else settings.dropout,
        batch_norm=settings.batch_norm,
    )


def _cnn_lstm(settings: Settings, spec: InputSpec, classes: int) -> Built:
    backbone = _backbone(settings, spec)
    options = SequenceOptions(
        settings.hidden or 256, settings.lstm_layers or 1, settings.bidirectional, settings.lstm_pool or "last"
    )
    frozen = settings.freeze
    module = CnnLstm(
        backbone.module, backbone.features, classes, options, dropout=settings.dropout or 0.0, frozen=frozen
    )
    return Built(module, spec, "fc", backbone, _libraries(settings.backbone or DEFAULT_BACKBONE))


def _backbone(settings: Settings, spec: InputSpec) -> Backbone:
    """A network of pictures without its head: its output is what the head was given."""
    name = settings.backbone or DEFAULT_BACKBONE
    if name == "cnn":
        if settings.freeze:
            raise UsageError("--freeze: the backbone cnn knows nothing yet; a known network can be frozen")
        module: nn.Module = _cnn(settings, spec, classes=1)
        features = _take_head_off(module, name)
        return Backbone(module, features, None)
    model = _load(name, settings)
    features = _take_head_off(model.module, name)
    recipe = None
    if settings.freeze:
        recipe = Recipe(
            model=name,
            weights=settings.weights,
            layers=(model.card.default_layer,),
            fps=settings.clip_fps or spec.clip_fps,
            **_said_of_input(settings),
        )
    return Backbone(model.module.requires_grad_(True), features, recipe)


def _take_head_off(module: nn.Module, name: str) -> int:
    """Put nothing in place of the last linear layer; returns the length of what it was given."""
    path = head_of(module)
    head = None if path is None else module.get_submodule(path)
    if path is None or not isinstance(head, nn.Linear):
        raise UsageError(f"--backbone {name}: its last layer is not linear, so it gives no vector for a frame")
    module.set_submodule(path, nn.Identity())
    return head.in_features


def _known(settings: Settings, spec: InputSpec, classes: int) -> Built:
    model = _load(settings.model, settings)
    module = model.module.requires_grad_(True)
    path = head_of(module)
    if path is None:
        raise UsageError(f"--model {settings.model}: has no layer that could be its head")
    old = module.get_submodule(path)
    if isinstance(old, nn.Linear):
        new: nn.Module = nn.Linear(old.in_features, classes)
    elif isinstance(old, nn.Conv2d) and math.prod(old.kernel_size) == 1:
        new = nn.Conv2d(old.in_channels, classes, 1)
    elif isinstance(old, nn.Conv3d) and math.prod(old.kernel_size) == 1:
        new = nn.Conv3d(old.in_channels, classes, 1)
    else:
        raise UsageError(f"--model {settings.model}: its last layer {path} is no classifier that could be replaced")
    module.set_submodule(path, new)
    return Built(module, spec, path, libraries=_libraries(settings.model))


def _load(name: str, settings: Settings) -> ModuleModel:
    if name == BUNDLED:
        return bundled_module(settings.weights, size_px=settings.size)
    if not source_of(name)[0].needs_torch:
        raise UsageError(f"{name}: a packed model cannot be trained; name a model of timm, torchvision or your own")
    clip = settings.clip if settings.model == name else None
    model = load_model(name, weights=settings.weights, size_px=settings.size, clip_frames=clip)
    assert isinstance(model, ModuleModel)
    return model


def _own_input(settings: Settings, side_px: int, clip_fps: float | None = None) -> InputSpec:
    side = settings.size or side_px
    clip: dict[str, Any] = {}
    if clip_fps is not None:
        clip = {"clip_frames": settings.clip or CLIP_FRAMES, "clip_fps": float(settings.clip_fps or clip_fps)}
    spec = InputSpec(
        size_px=(side, side), resize_px=side, interpolation="bilinear", mean=(0.5,) * 3, std=(0.5,) * 3, **clip
    )
    return _said(spec, settings)


def _said(spec: InputSpec, settings: Settings) -> InputSpec:
    changes = _said_of_input(settings)
    changes.pop("size", None)
    if settings.clip_fps is not None and spec.clip_frames > 1:
        changes["clip_fps"] = float(settings.clip_fps)
    return spec.model_copy(update=changes)


def _said_of_input(settings: Settings) -> dict[str, Any]:
    """Size, fit, interpolation, mean and std where the settings say them; the fields of a Recipe too."""
    fields = ("size", "fit", "interpolation", "mean", "std")
    return {name: getattr(settings, name) for name in fields if getattr(settings, name) is not None}


def _libraries(name: str) -> tuple[str, ...]:
    return ("torch", "timm") if name.startswith(("timm/", "bundled/")) else ("torch", "torchvision")
