"""Models of timm (Wightman, PyTorch Image Models): ``timm/resnet50``, with or without a tag of its weights."""

from __future__ import annotations

import math
from typing import Any

from visfeat.card import InputSpec
from visfeat.errors import UnknownModel, UsageError, nearest_names
from visfeat.models.quiet import quiet
from visfeat.models.source import ModelRequest, ModuleModel
from visfeat.recipe import Fit

_FITS: dict[str, Fit] = {"center": "crop", "squash": "squash", "border": "pad"}


class TimmModels:
    """The source ``timm``."""

    needs_torch = True

    def names(self) -> list[str]:
        """All architectures; the tags of their weights are taken too (``resnet50.a1_in1k``)."""
        import timm

        return list(timm.list_models())

    def load(self, request: ModelRequest) -> ModuleModel:
        """Build a network with the weights asked for; its input is that of the tag's own evaluation."""
        from timm.data import resolve_model_data_config

        from visfeat.models.describe import Description, describe
        from visfeat.models.labels import class_names

        _check_name(request.name)
        module = _with_size(_build(request), request)
        licence = module.pretrained_cfg.get("license") or ""
        classes = int(getattr(module, "num_classes", 0) or 0)
        known = Description(
            name=f"timm/{request.name}",
            source=f"timm, {module.pretrained_cfg.get('hf_hub_id') or request.name}",
            input=_input_spec(resolve_model_data_config(module), request.size_px),
            classifier=classes > 0,
            license=str(licence),
            class_names=class_names(classes),
            prefix_tokens=getattr(module, "num_prefix_tokens", None),
            channels_last=str(getattr(module, "output_fmt", "")) == "NHWC",
            libraries=("torch", "timm"),
        )
        return describe(module, known, request)


def _check_name(name: str) -> None:
    """Raise UnknownModel where timm has no such architecture, or no such tag of its weights."""
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        hint = nearest_names(architecture, timm.list_models())
        raise UnknownModel(f"no model timm/{name}{hint} (visfeat models 'timm/*' lists them)")
    tagged = timm.list_pretrained(f"{architecture}.*")
    if tag and name not in tagged:
        raise UnknownModel(f"no weights timm/{name} (there are {', '.join(tagged) or 'none'})")


def _build(request: ModelRequest) -> Any:
    """The module with pretrained, random or a file's weights, at its own input size."""
    import timm

    from visfeat.models.describe import seeded
    from visfeat.models.hub import fetching
    from visfeat.models.weights import PRETRAINED, fill_from_file, random_seed

    model = f"timm/{request.name}"
    if request.weights == PRETRAINED:
        with fetching(model):
            return timm.create_model(request.name, pretrained=True)

    def build(num_classes: int | None) -> Any:
        changed = {} if num_classes is None else {"num_classes": num_classes}
        with seeded(request.weights):
            return timm.create_model(request.name, pretrained=False, **changed)

    if random_seed(request.weights) is not None:
        return build(None)
    return fill_from_file(build, request.weights, subject=model)


def _with_size(module: Any, request: ModelRequest) -> Any:
    """Interpolate position embeddings and the like for another input size; plain convolutions need nothing."""
    size, own = request.size_px, module.pretrained_cfg["input_size"][-1]
    if size is None or size == own:
        return module
    set_input_size = getattr(module, "set_input_size", None)
    if set_input_size is None:
        if module.pretrained_cfg.get("fixed_input_size"):
            raise UsageError(f"--size {size}: timm/{request.name} takes {own} pixels and nothing else")
        return module
    patch = getattr(getattr(module, "patch_embed", None), "patch_size", (1, 1))[0]
    if size % patch:
        below = size // patch * patch
        raise UsageError(
            f"--size {size}: timm/{request.name} takes multiples of {patch} pixels, {below or patch} or "
            f"{below + patch} for example"
        )
    try:
        with quiet():
            set_input_size(img_size=(size, size))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise UsageError(f"--size {size}: timm/{request.name} does not take it, but {own} ({error})") from None
    return module


def _input_spec(config: dict[str, Any], size_px: int | None) -> InputSpec:
    """The evaluation transform of timm: the short side becomes floor(size / crop_pct), then the center is cut."""
    size = (size_px, size_px) if size_px is not None else tuple(config["input_size"][-2:])
    return InputSpec(
        size_px=size,
        resize_px=math.floor(min(size) / config["crop_pct"]),
        fit=_FITS[config["crop_mode"]],
        interpolation=config["interpolation"],
        mean=config["mean"],
        std=config["std"],
    )
