"""How torchvision evaluates its networks of clips: how many frames, at which rate, and prepared in which way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from visfeat.card import InputSpec


@dataclass(frozen=True)
class ClipSettings:
    """The clips with which the accuracy that torchvision publishes was measured, and which others a network takes."""

    frames: int
    fps: float
    lengths: tuple[int, ...] = ()
    """The only numbers of frames that it takes; empty where it takes any from ``fewest`` on."""
    fewest: int = 2


_RESNET = ClipSettings(16, 15)
_MVIT = ClipSettings(16, 7.5, lengths=(16,))  # its positions are learned for 8 pairs of frames
_SWIN = ClipSettings(32, 15)
_S3D = ClipSettings(128, 15, fewest=14)  # its last pooling wants two of the steps that are left of 8 frames each

_SETTINGS = {
    "r3d_18": _RESNET,
    "mc3_18": _RESNET,
    "r2plus1d_18": _RESNET,
    "s3d": _S3D,
    "mvit_v1_b": _MVIT,
    "mvit_v2_s": _MVIT,
    "swin3d_t": _SWIN,
    "swin3d_s": _SWIN,
    "swin3d_b": _SWIN,
}


_S3D_PARTS = (
    (r"^base\.", "features."),
    (r"^fc\.0\.", "classifier.1."),
    (r"\.branch0\.0\.", ".branch0."),
    (r"\.conv_s\.", ".0.0."),
    (r"\.bn_s\.", ".0.1."),
    (r"\.conv_t\.", ".1.0."),
    (r"\.bn_t\.", ".1.1."),
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
)


def s3d_name(name: str) -> str:
    """The name here of a weight of S3D in the public conversion of its authors' checkpoint (kylemin/S3D).

    >>> s3d_name("base.5.branch1.1.conv_s.weight")
    'features.5.branch1.1.0.0.weight'

    Other names, torchvision's own among them, stay as they are.
    """
    if name.startswith(("base.", "fc.0.")):
        for pattern, own in _S3D_PARTS:
            name = re.sub(pattern, own, name)
    return name


def clip_settings(name: str) -> ClipSettings | None:
    """The settings of a network of clips; None for one of images."""
    return _SETTINGS.get(name)


def clip_input(transform: Any, clips: ClipSettings, size_px: int | None) -> InputSpec:
    """The preset ``VideoClassification``: resized without antialiasing, then the center is cut out.

    ``size_px``: another side than the preset's; what is resized to then grows with it.
    """
    own, resize = int(transform.crop_size[0]), tuple(int(side) for side in transform.resize_size)
    size = own if size_px is None else size_px
    scaled = tuple(side * size // own for side in resize)
    return InputSpec(
        size_px=(size, size),
        resize_px=min(scaled),
        resize_to_px=(scaled[0], scaled[1]) if len(scaled) == 2 else None,
        antialias=False,
        interpolation=transform.interpolation.value,
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        clip_frames=clips.frames,
        clip_fps=clips.fps,
        clip_lengths=clips.lengths,
    )
