"""Your own network: ``package.module:function``, a function without arguments that returns an nn.Module.

Where the function, or the module that it returns, has an attribute ``visfeat_card`` (a mapping with any of ``input``,
``default_layer``, ``class_names``, ``license``, ``classifier``), that is what the card says; else the input is 224
pixels, the center 87.5% of the picture, with ImageNet's mean and deviation. A network over optical flow says
``"input": {"kind": "flow"}`` and takes two channels, flow / 20.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from visfeat.card import InputSpec
from visfeat.errors import ModelError, UnknownModel
from visfeat.flow.field import MEAN, STD
from visfeat.models.source import ModelRequest, ModuleModel

_LIBRARIES = ("torch", "torchvision", "timm", "transformers")
_KNOWN = ("input", "default_layer", "class_names", "license", "classifier")


class OwnModels:
    """The source ``own``."""

    needs_torch = True

    def names(self) -> list[str]:
        """None: the functions may stand anywhere."""
        return []

    def load(self, request: ModelRequest) -> ModuleModel:
        """Call the function, load the weights where a file is named, and look at what came.

        Raises UnknownModel where there is no such function, ModelError where it returns something else.
        """
        from visfeat.models.describe import Description, describe

        function = _function(request.name)
        module = _build(function, request)
        said = _said(function, module, request.name)
        known = Description(
            name=request.name,
            source=request.name,
            input=_input_spec(said.get("input", {}), request),
            classifier=bool(said.get("classifier", _ends_linear(module))),
            license=str(said.get("license", "")),
            class_names=tuple(said.get("class_names", ())),
            default_layer=said.get("default_layer"),
            libraries=("torch",),
        )
        described = describe(module, known, request)
        digest = hashlib.sha256(f"{described.card.weights_digest} {code_digest(function, module)}".encode()).hexdigest()
        return replace(described, card=described.card.model_copy(update={"weights_digest": digest}))


def code_digest(function: Callable[[], Any], module: Any) -> str:
    """Hex SHA-256 of what the weights do not tell of a network: its parts, and the files that define them.

    Without it a network whose code was changed would pass for the old one. Files of torch's own packages are left out;
    code that was typed into a notebook is known by its parts alone.
    """
    digest = hashlib.sha256(repr(module).encode())
    modules = {type(part).__module__ for part in module.modules()} | {function.__module__}
    for name in sorted(modules):
        path = getattr(sys.modules.get(name), "__file__", None)
        if path is not None and name.partition(".")[0] not in _LIBRARIES:
            digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def _function(name: str) -> Callable[[], Any]:
    path, _, attribute = name.partition(":")
    # A console script looks for modules beside itself, a user beside where they stand.
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if not path.startswith(error.name or "?"):
            raise ModelError(f"--model {name}: {path} imports {error.name}, which is not installed") from None
        raise UnknownModel(f"--model {name}: there is no module {path} here ({os.getcwd()}) or installed") from None
    function = getattr(module, attribute, None)
    if not callable(function):
        raise UnknownModel(f"--model {name}: {path} has no function {attribute}")
    return function  # type: ignore[no-any-return]


def _build(function: Callable[[], Any], request: ModelRequest) -> Any:
    from torch import nn

    from visfeat.models.describe import seeded
    from visfeat.models.weights import PRETRAINED, head_of, load_weights, random_seed, read_weights

    with seeded(request.weights):
        module = function()
    if not isinstance(module, nn.Module):
        raise ModelError(f"--model {request.name}: must return a torch.nn.Module, not {type(module).__name__}")
    if request.weights != PRETRAINED and random_seed(request.weights) is None:
        state, head = read_weights(request.weights), head_of(module) or ""
        load_weights(module, state, subject=request.name, file=request.weights, head=head)
    return module


def _said(function: Callable[[], Any], module: Any, name: str) -> dict[str, Any]:
    said = getattr(module, "visfeat_card", None) or getattr(function, "visfeat_card", None) or {}
    wrong = sorted(set(said) - set(_KNOWN)) if isinstance(said, Mapping) else ["(it is no mapping)"]
    if wrong:
        raise ModelError(f"--model {name}: visfeat_card has an unknown field {wrong[0]} (known: {', '.join(_KNOWN)})")
    return dict(said)


def _input_spec(said: Mapping[str, Any], request: ModelRequest) -> InputSpec:
    from visfeat.models.describe import IMAGENET_MEAN, IMAGENET_STD, center_crop

    own_size = tuple(said.get("size_px", (224, 224)))
    size, resize_px = center_crop(request.size_px or min(own_size))
    of_flow = said.get("kind") == "flow"
    mean, std = (MEAN, STD) if of_flow else (IMAGENET_MEAN, IMAGENET_STD)
    fields = {"mean": mean, "std": std, "resize_px": resize_px} | dict(said)
    if request.size_px is not None:
        fields["resize_px"] = int(said.get("resize_px", min(own_size) / 0.875)) * request.size_px // min(own_size)
    try:
        return InputSpec.model_validate(fields | {"size_px": own_size if request.size_px is None else size})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"--model {request.name}: visfeat_card's input.{field}: {first['msg']}") from None


def _ends_linear(module: Any) -> bool:
    """Whether the last layer of the module is linear: then it is taken for a classifier."""
    from torch import nn

    leaves = [part for part in module.modules() if not list(part.children())]
    kept = [part for part in leaves if not isinstance(part, (nn.Identity, nn.Dropout, nn.Softmax, nn.Flatten))]
    return bool(kept) and isinstance(kept[-1], nn.Linear)
