"""Transformers over clips: how many frames they take, and their frames before the channels, as their makers have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visfeat.card import InputSpec
from visfeat.errors import UsageError
from visfeat.models.source import ModelRequest

_FRAMES_FIELD = {
    "videomae": "num_frames",
    "timesformer": "num_frames",
    "vivit": "num_frames",
    "vjepa2": "frames_per_clip",
}


def clip_length(config: Any) -> int | None:
    """How many frames a model of that configuration sees at once; None for a model of images."""
    field = _FRAMES_FIELD.get(config.model_type)
    return None if field is None else int(getattr(config, field))


def of_clips(spec: InputSpec, processor: Mapping[str, Any], frames: int) -> InputSpec:
    """The input of a model whose positions are learned for so many frames.

    A processor with an offset (ViViT's) first brings pixels to -1 ... 1 and then normalizes them too.
    """
    changes: dict[str, Any] = {"clip_frames": frames, "clip_lengths": (frames,)}
    if processor.get("offset"):
        scale = 255 * processor["rescale_factor"]
        changes |= {
            "mean": tuple((value + 1) / scale for value in spec.mean),
            "std": tuple(value / scale for value in spec.std),
        }
    return spec.model_copy(update=changes)


def check_size(config: Any, request: ModelRequest) -> None:
    """Raise UsageError where another size is asked for: their positions are learned for one."""
    own = getattr(config, "image_size", None) or getattr(config, "crop_size", None)
    if request.size_px not in (None, own):
        raise UsageError(f"--size {request.size_px}: hf/{request.name} takes {own} pixels and nothing else")


def frames_first(module: Any) -> Any:
    """The same module, given ``(N, 3, T, H, W)`` where it wants ``(N, T, 3, H, W)``; without a predictor of its own."""
    forward = module.forward
    options = {"skip_predictor": True} if type(module).__name__ == "VJEPA2Model" else {}

    def channels_first(pixels: Any) -> Any:
        return forward(pixels.transpose(1, 2), **options)

    module.forward = channels_first
    return module
