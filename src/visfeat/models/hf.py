"""Vision models of transformers, from a local folder or the hub: ``hf/./my-vit``, ``hf/facebook/dinov2-small``.

VideoMAE, TimeSformer, ViViT and V-JEPA 2 see clips of the length that they were made for.

A classifier keeps its head and class names. Of a model with an image and a text tower the image tower counts, with
its projection. Otherwise the embedding is the class token, or the mean over the map, of the last hidden state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

from visfeat.card import InputSpec
from visfeat.errors import ModelError, UsageError
from visfeat.models.hf_clips import check_size, clip_length, clip_rate, frames_first, of_clips
from visfeat.models.source import ModelRequest, ModuleModel
from visfeat.recipe import Fit, Interpolation

_PILLOW_FILTERS: dict[int, Interpolation] = {
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
    4: "box",
    5: "hamming",
}


class HuggingFaceModels:
    """The source ``hf``."""

    needs_torch = True

    def names(self) -> list[str]:
        """None: folders and the hub's names are not listed."""
        return []

    def load(self, request: ModelRequest) -> ModuleModel:
        """Build a model from its folder or hub name, with its own, a file's or random weights."""
        import transformers

        from visfeat.models.describe import Description, describe
        from visfeat.models.hub import fetching

        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        subject = f"hf/{request.name}"
        place = _place(request.name)
        with fetching(subject, configuration=True):
            config = transformers.AutoConfig.from_pretrained(place)
            frames = clip_length(config)
            processor = _processor(place, of_clips=frames is not None)
        spec = _input_spec(processor, config, request.size_px)
        if frames is None:
            module = _sized(_tower(_build(place, config, request)), config, request)
        else:
            check_size(config, request)
            spec = of_clips(spec, processor, frames, clip_rate(config, classifier=_is_classifier(config)))
            module = frames_first(_build(place, config, request))
        classifier = _is_classifier(config)
        known = Description(
            name=subject,
            source=f"transformers, {config.model_type}",
            input=spec,
            classifier=classifier,
            class_names=_class_names(config) if classifier else (),
            normalize=hasattr(config, "vision_config"),
            libraries=("torch", "transformers"),
        )
        return describe(module, known, request)


def _place(name: str) -> str:
    """A folder's path, or the hub's name as it stands."""
    path = Path(name).expanduser()
    if path.is_dir():
        return str(path)
    if name.startswith((".", "/", "~")):
        raise ModelError(f"hf/{name}: no such folder")
    return name


def _is_classifier(config: Any) -> bool:
    endings = ("ForImageClassification", "ForVideoClassification")
    return any(name.endswith(endings) for name in config.architectures or ())


def _build(place: str, config: Any, request: ModelRequest) -> Any:
    import transformers

    from visfeat.models.describe import seeded
    from visfeat.models.hub import fetching
    from visfeat.models.weights import PRETRAINED, head_of, load_weights, random_seed, read_weights

    subject = f"hf/{request.name}"
    auto = transformers.AutoModel
    if _is_classifier(config):
        of_images = clip_length(config) is None
        auto = (
            transformers.AutoModelForImageClassification if of_images else transformers.AutoModelForVideoClassification
        )
    if request.weights == PRETRAINED:
        with fetching(subject):
            return auto.from_pretrained(place, dtype="float32")
    with seeded(request.weights):
        module = auto.from_config(config)
    if random_seed(request.weights) is None:
        head = (head_of(module) or "") if _is_classifier(config) else ""
        load_weights(module, read_weights(request.weights), subject=subject, file=request.weights, head=head)
    return module


def _tower(module: Any) -> Any:
    """The image tower with its projection, of a model that has one; else the model."""
    from torch import Tensor, nn

    if not hasattr(module, "vision_model") or not hasattr(module, "text_model"):
        return module

    class ImageTower(nn.Module):
        """The half of a model of images and texts that sees the images."""

        def __init__(self) -> None:
            super().__init__()
            self.vision_model = module.vision_model
            self.visual_projection = getattr(module, "visual_projection", None) or nn.Identity()

        def forward(self, pixel_values: Tensor, **options: Any) -> Tensor:
            pooled = self.vision_model(pixel_values=pixel_values, **options).pooler_output
            return self.visual_projection(pooled)  # type: ignore[no-any-return]

    return ImageTower()


def _sized(module: Any, config: Any, request: ModelRequest) -> Any:
    """For another size than the model's own: a module that interpolates its position embedding."""
    own = getattr(getattr(config, "vision_config", config), "image_size", None)
    if request.size_px is None or own is None or request.size_px == own:
        return module
    inner: Callable[..., Any] = getattr(module, "vision_model", module).forward
    if "interpolate_pos_encoding" not in signature(inner).parameters:
        if getattr(config, "patch_size", None) is not None:
            raise UsageError(f"--size {request.size_px}: hf/{request.name} takes {own} pixels and nothing else")
        return module
    module.forward = partial(module.forward, interpolate_pos_encoding=True)
    return module


def _class_names(config: Any) -> tuple[str, ...]:
    names = config.id2label or {}
    return tuple(str(names[index]) for index in sorted(names))


def _processor(place: str, *, of_clips: bool) -> Mapping[str, Any]:
    """The settings of the image processor, of clips of the video processor; empty where the model has none.

    Older models of clips have an image processor's file alone, newer ones (V-JEPA 2) a video processor's alone.
    """
    from transformers import ImageProcessingMixin
    from transformers.video_processing_utils import BaseVideoProcessor

    try:
        if of_clips:
            settings, _ = BaseVideoProcessor.get_video_processor_dict(place)
        else:
            settings, _ = ImageProcessingMixin.get_image_processor_dict(place)
    except OSError:
        return {}
    return dict(settings)


def _input_spec(processor: Mapping[str, Any], config: Any, size_px: int | None) -> InputSpec:
    """What the image processor does, in our words: resize, perhaps cut the center, normalize."""
    from visfeat.models.describe import IMAGENET_MEAN, IMAGENET_STD, center_crop

    side = getattr(getattr(config, "vision_config", config), "image_size", None) or getattr(config, "crop_size", None)
    own = int(side or 224)
    size, resize_px, fit = _geometry(processor, own)
    if size_px is not None:
        size, resize_px = (size_px, size_px), resize_px * size_px // min(size)
    normalizes = processor.get("do_normalize", True)
    if not processor:
        size, resize_px = center_crop(size_px or own)
    return InputSpec(
        size_px=size,
        resize_px=resize_px,
        fit=fit,
        interpolation=_PILLOW_FILTERS.get(int(processor.get("resample") or 3), "bicubic"),
        mean=tuple(processor.get("image_mean") or IMAGENET_MEAN) if normalizes else (0.0, 0.0, 0.0),
        std=tuple(processor.get("image_std") or IMAGENET_STD) if normalizes else (1.0, 1.0, 1.0),
    )


def _geometry(processor: Mapping[str, Any], own: int) -> tuple[tuple[int, int], int, Fit]:
    """Input size, short side before the crop, and fit, from the several ways in which processors say it."""
    wanted = processor.get("size") or own
    size = {"shortest_edge": wanted} if isinstance(wanted, int) else dict(wanted)
    cut = processor.get("crop_size") or {}
    crop = {"height": cut, "width": cut} if isinstance(cut, int) else dict(cut)
    if "height" in size and not (processor.get("do_center_crop") and crop):
        return (size["height"], size["width"]), min(size["height"], size["width"]), "squash"
    short = int(size.get("shortest_edge") or min(size.values()))
    if crop and processor.get("do_center_crop", True):
        return (crop["height"], crop["width"]), short, "crop"
    share = processor.get("crop_pct")
    # ConvNeXt's processor: below 384 pixels the picture is resized to more than what is cut out.
    return (short, short), int(short / share) if share and short < 384 else short, "crop"
