"""Models of torchvision: its classifiers of images and of clips, ``torchvision/resnet50``, ``torchvision/r3d_18``.

Other pretrained weights than the architecture's default ones stand behind it: ``torchvision/resnet50/IMAGENET1K_V1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visfeat.card import InputSpec
from visfeat.errors import UnknownModel, UsageError, nearest_names
from visfeat.models.clip_length import with_clip
from visfeat.models.source import ModelRequest, ModuleModel
from visfeat.models.torchvision_clips import clip_input, clip_settings, s3d_name

# Their own initialization takes many seconds; the plain one of each layer will do.
_SLOW_TO_INITIALIZE = ("googlenet", "inception_v3")


class TorchvisionModels:
    """The source ``torchvision``: classification of images and of clips."""

    needs_torch = True

    def names(self) -> list[str]:
        """All classifiers of images, then those of clips."""
        from torchvision import models

        return [*models.list_models(module=models), *models.list_models(module=models.video)]

    def load(self, request: ModelRequest) -> ModuleModel:
        """Build a network with the weights asked for; its input is that of the pretrained ones that the name means."""
        from torchvision import models

        from visfeat.models.describe import Description, describe

        names, (architecture, _, entry) = self.names(), request.name.partition("/")
        if architecture not in names:
            hint = nearest_names(architecture, names)
            raise UnknownModel(f"no model torchvision/{architecture}{hint} (visfeat models 'torchvision/*' lists them)")
        weights = _entry(models.get_model_weights(architecture), entry, architecture)
        clips = clip_settings(architecture)
        if clips is not None:
            spec = clip_input(weights.transforms(), clips, request.size_px)
            with_clip(spec, request.clip_frames, model=f"torchvision/{request.name}", fewest=clips.fewest)
        else:
            spec = _input_spec(weights.transforms(), request.size_px)
        module = _with_size(_build(architecture, request, weights), architecture, request)
        categories = tuple(weights.meta.get("categories", ()))
        known = Description(
            name=f"torchvision/{request.name}",
            source=f"torchvision, {weights}",
            input=spec,
            classifier=True,
            license="BSD-3-Clause",
            class_names=categories if len(categories) == _count_classes(module) else (),
            libraries=("torch", "torchvision"),
        )
        return describe(module, known, request)


def _entry(known: Any, name: str, architecture: str) -> Any:
    """The pretrained weights of that name, by default the architecture's own; raises UnknownModel."""
    names = [weights.name for weights in known]
    if name and name not in names:
        raise UnknownModel(
            f"torchvision/{architecture}: no weights are called {name}{nearest_names(name, names)} "
            f"(there are {', '.join(names)})"
        )
    return known[name] if name else known.DEFAULT


def _build(architecture: str, request: ModelRequest, weights: Any) -> Any:
    """The module with pretrained, random or a file's weights, at its own input size."""
    from torchvision import models

    from visfeat.models.describe import seeded
    from visfeat.models.hub import fetching
    from visfeat.models.weights import PRETRAINED, fill_from_file, random_seed

    model = f"torchvision/{request.name}"
    if request.weights == PRETRAINED:
        with fetching(model):
            return models.get_model(architecture, weights=weights, progress=False)
    slow: dict[str, Any] = {"init_weights": False} if architecture in _SLOW_TO_INITIALIZE else {}

    def build(num_classes: int | None, **changed: Any) -> Any:
        if num_classes is not None:
            changed["num_classes"] = num_classes
        with seeded(request.weights):
            return models.get_model(architecture, weights=None, **slow, **changed)

    if random_seed(request.weights) is not None:
        return build(None)
    # Those two normalize anew inside, as their pretrained weights, and all that began from them, want it.
    extra = {"transform_input": True} if slow else {}
    return fill_from_file(
        lambda num_classes: build(num_classes, **extra),
        request.weights,
        subject=model,
        as_ours=_s3d_names if architecture == "s3d" else dict,
    )


def _s3d_names(state: Mapping[str, Any]) -> dict[str, Any]:
    return {s3d_name(name): value for name, value in state.items()}


def _count_classes(module: Any) -> int:
    from visfeat.models.weights import head_of

    head = head_of(module)
    return 0 if head is None else int(module.get_parameter(f"{head}.weight").shape[0])


def _with_size(module: Any, architecture: str, request: ModelRequest) -> Any:
    """A vision transformer for another input size, its position embedding interpolated; others are as they were."""
    size = request.size_px
    own, patch = getattr(module, "image_size", None), getattr(module, "patch_size", None)
    if size is None or own is None or patch is None or size == own:
        return module
    if size % patch:
        raise UsageError(f"--size {size}: torchvision/{request.name} takes multiples of {patch} pixels")
    from torchvision import models
    from torchvision.models.vision_transformer import interpolate_embeddings

    state: Mapping[str, Any] = interpolate_embeddings(size, patch, module.state_dict())
    larger = models.get_model(architecture, weights=None, image_size=size, num_classes=_count_classes(module))
    larger.load_state_dict(state)
    return larger


def _input_spec(transform: Any, size_px: int | None) -> InputSpec:
    """The preset of the default weights: the short side is resized, then the center cut out."""
    own, resize = int(transform.crop_size[0]), int(transform.resize_size[0])
    size = own if size_px is None else size_px
    return InputSpec(
        size_px=(size, size),
        resize_px=resize * size // own,
        interpolation=transform.interpolation.value,
        mean=tuple(transform.mean),
        std=tuple(transform.std),
    )
