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

_KINETICS = (400, 600, 700)
"""Numbers of classes by which a classifier of Kinetics is known."""
_KINETICS_FPS: dict[tuple[str, int], float] = {
    # 16 frames at a sampling rate of 4 (the makers' scripts/kinetics/*/finetune.sh), of about 30 a second.
    ("videomae", 16): 30 / 4,
    # NUM_FRAMES and SAMPLING_RATE of configs/Kinetics/TimeSformer_divST_*.yaml, at a TARGET_FPS of 30.
    ("timesformer", 8): 30 / 32,
    ("timesformer", 16): 30 / 16,
    ("timesformer", 96): 30 / 4,
    # num_frames and stride of scenic's vivit_base_k400.py, which counts 250 frames in a video of 10 s.
    ("vivit", 32): 25 / 2,
}
_VJEPA2_FPS = 4.0
"""``fps`` of V-JEPA 2's configs/train/*/pretrain-*.yaml."""


def clip_length(config: Any) -> int | None:
    """How many frames a model of that configuration sees at once; None for a model of images."""
    field = _FRAMES_FIELD.get(config.model_type)
    return None if field is None else int(getattr(config, field))


def clip_rate(config: Any, *, classifier: bool) -> float | None:
    """Frames a second of the clips that a model's makers trained it on, where what they published says so.

    None for models whose clips span whole videos (Something-Something), and for those of an unknown training.
    """
    if config.model_type == "vjepa2":
        return None if classifier else _VJEPA2_FPS
    if not classifier or config.num_labels not in _KINETICS:
        return None
    return _KINETICS_FPS.get((config.model_type, clip_length(config) or 0))


def of_clips(spec: InputSpec, processor: Mapping[str, Any], frames: int, fps: float | None) -> InputSpec:
    """The input of a model whose positions are learned for so many frames.

    A processor with an offset (ViViT's) first brings pixels to -1 ... 1 and then normalizes them too.
    """
    changes: dict[str, Any] = {"clip_frames": frames, "clip_lengths": (frames,), "clip_fps": fps}
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
