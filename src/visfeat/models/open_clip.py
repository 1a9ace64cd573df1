"""Image towers of open_clip: ``open_clip/ViT-B-32``, or with a tag ``open_clip/ViT-B-32/laion2b_s34b_b79k``.

The embedding is projected into the space that images and texts share, and its length is 1 (Radford et al., CLIP,
2021). What the projection is given is a layer of its own (``ln_post`` in a vision transformer).
"""

from __future__ import annotations

from typing import Any

from visfeat.card import InputSpec
from visfeat.errors import ModelError, UnknownModel, UsageError, nearest_names
from visfeat.models.quiet import quiet
from visfeat.models.source import ModelRequest, ModuleModel
from visfeat.recipe import Fit

_FITS: dict[str, Fit] = {"shortest": "crop", "squash": "squash", "longest": "pad"}
_IMAGE_PART = "visual."


class OpenClipModels:
    """The source ``open_clip``."""

    needs_torch = True

    def names(self) -> list[str]:
        """All architectures; a tag of their weights may follow after a slash."""
        import open_clip

        return list(open_clip.list_models())

    def load(self, request: ModelRequest) -> ModuleModel:
        """Build a model and keep its image tower, with the tag's, a file's or random weights."""
        import open_clip

        from visfeat.models.describe import Description, describe

        architecture, _, tag = request.name.partition("/")
        names = open_clip.list_models()
        if architecture not in names:
            hint = nearest_names(architecture, names)
            raise UnknownModel(f"no model open_clip/{architecture}{hint} (visfeat models 'open_clip/*' lists them)")
        model = build_model(architecture, tag, request)
        _check_size(model.visual, request)
        known = Description(
            name=f"open_clip/{request.name}",
            source=f"open_clip, {architecture} {tag}".rstrip(),
            input=_input_spec(open_clip.get_model_preprocess_cfg(model)),
            classifier=False,
            normalize=True,
            libraries=("torch", "open_clip_torch"),
        )
        return describe(model.visual, known, request)


def build_model(architecture: str, tag: str, request: ModelRequest) -> Any:
    """Both towers, with the tag's or random weights; of a file's weights the image tower has them."""
    import open_clip

    from visfeat.models.describe import seeded
    from visfeat.models.hub import fetching
    from visfeat.models.weights import PRETRAINED, random_seed

    subject = f"open_clip/{request.name}"
    sized: dict[str, Any] = {} if request.size_px is None else {"force_image_size": request.size_px}
    try:
        if request.weights == PRETRAINED:
            chosen = tag or _first_tag(architecture)
            with fetching(subject):
                return open_clip.create_model(architecture, pretrained=chosen, require_pretrained=True, **sized)
        with seeded(request.weights), quiet():
            model = open_clip.create_model(architecture, pretrained=None, pretrained_text=False, **sized)
    except (AssertionError, RuntimeError, ValueError) as error:
        if request.size_px is None:
            raise ModelError(f"{subject}: cannot be built ({error})") from None
        raise UsageError(f"--size {request.size_px}: {subject} does not take it ({error})") from None
    if random_seed(request.weights) is None:
        _fill(model, request, subject)
    return model


def read_whole(model: Any, request: ModelRequest) -> None:
    """Load a file into both towers; raises ModelError where it holds the image tower alone."""
    from open_clip.model import resize_pos_embed

    from visfeat.models.weights import load_weights, read_weights

    state = read_weights(request.weights)
    if not any(name.startswith(_IMAGE_PART) for name in state):
        raise ModelError(f"--weights {request.weights}: holds the image tower alone; texts need the whole model")
    resize_pos_embed(state, model)
    load_weights(model, state, subject=f"open_clip/{request.name}", file=request.weights)


def _check_size(tower: Any, request: ModelRequest) -> None:
    """Raise UsageError where the patches of a vision transformer would not cover the picture."""
    patch = int(getattr(tower, "patch_size", (1, 1))[0])
    if request.size_px is not None and request.size_px % patch:
        raise UsageError(f"--size {request.size_px}: open_clip/{request.name} takes multiples of {patch} pixels")


def _first_tag(architecture: str) -> str:
    """OpenAI's weights where the architecture has them, else the first that open_clip knows."""
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if not tags:
        raise ModelError(f"open_clip/{architecture}: has no pretrained weights; say --weights FILE or random:SEED")
    return "openai" if "openai" in tags else str(tags[0])


def _fill(model: Any, request: ModelRequest, subject: str) -> None:
    """Load a file that holds the whole model or its image tower; positions are interpolated to the size asked for."""
    from open_clip.model import resize_pos_embed

    from visfeat.models.weights import load_weights, read_weights

    state = read_weights(request.weights)
    if any(name.startswith(_IMAGE_PART) for name in state):
        resize_pos_embed(state, model)
        state = {name.removeprefix(_IMAGE_PART): value for name, value in state.items() if name.startswith(_IMAGE_PART)}
    load_weights(model.visual, state, subject=subject, file=request.weights)


def _input_spec(config: dict[str, Any]) -> InputSpec:
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else tuple(size)
    return InputSpec(
        size_px=(height, width),
        resize_px=min(height, width),
        fit=_FITS[config["resize_mode"]],
        interpolation=config["interpolation"],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )
