"""I3D (Carreira and Zisserman, CVPR 2017, "Quo Vadis, Action Recognition?"): Inception-v1, inflated in time.

The names of its parts are those of the public PyTorch checkpoints, so that ``--weights`` takes them. The embedding is
``avg_pool``, 1024 values averaged over time; the logits are averaged over time too. There are the paper's two streams:
``i3d/rgb`` sees frames, ``i3d/flow`` the optical flow between them, cut off at +-20 pixels and divided by 20.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from visfeat.card import InputSpec
from visfeat.errors import ModelError, UnknownModel, nearest_names
from visfeat.flow.field import MEAN, STD
from visfeat.models.clip_length import with_clip
from visfeat.models.describe import Description, describe, seeded
from visfeat.models.i3d_checkpoints import in_our_names
from visfeat.models.resize import input_at
from visfeat.models.source import ModelRequest, ModuleModel
from visfeat.models.weights import PRETRAINED, fill_from_file, random_seed

CLASSES = 400
FEWEST_FRAMES = 9
"""Eight frames become one step in time, and the last pooling takes two."""

_HALF = (0.5, 0.5, 0.5)
INPUT = InputSpec(
    size_px=(224, 224),
    resize_px=256,
    interpolation="bilinear",
    mean=_HALF,
    std=_HALF,
    clip_frames=64,
    clip_fps=25,
)
INPUTS: dict[str, InputSpec] = {
    "rgb": INPUT,
    "flow": INPUT.model_copy(update={"kind": "flow", "mean": MEAN, "std": STD}),
}

# Channels that come in, and those of the branches b0, b1a, b1b, b2a, b2b and b3b.
_MIXED: dict[str, tuple[int, int, int, int, int, int, int]] = {
    "Mixed_3b": (192, 64, 96, 128, 16, 32, 32),
    "Mixed_3c": (256, 128, 128, 192, 32, 96, 64),
    "Mixed_4b": (480, 192, 96, 208, 16, 48, 64),
    "Mixed_4c": (512, 160, 112, 224, 24, 64, 64),
    "Mixed_4d": (512, 128, 128, 256, 24, 64, 64),
    "Mixed_4e": (512, 112, 144, 288, 32, 64, 64),
    "Mixed_4f": (528, 256, 160, 320, 32, 128, 128),
    "Mixed_5b": (832, 256, 160, 320, 32, 128, 128),
    "Mixed_5c": (832, 384, 192, 384, 48, 128, 128),
}


class I3dModels:
    """The source ``i3d``: ``i3d/rgb`` and ``i3d/flow``."""

    needs_torch = True

    def names(self) -> list[str]:
        """The two streams."""
        return list(INPUTS)

    def load(self, request: ModelRequest) -> ModuleModel:
        """Build the network with a file's or random weights; none come with it.

        Raises UnknownModel, ModelError where no weights are named, WeightsMismatch or UsageError.
        """
        if request.name not in INPUTS:
            hint = nearest_names(request.name, INPUTS)
            raise UnknownModel(f"no model i3d/{request.name}{hint} (there are i3d/rgb and i3d/flow)")
        model = f"i3d/{request.name}"
        if request.weights == PRETRAINED:
            raise ModelError(f"{model}: no weights come with it; say --weights FILE (.pt, .pth) or random:SEED")
        own = INPUTS[request.name]
        spec = own if request.size_px is None else input_at(own, request.size_px)
        with_clip(spec, request.clip_frames, model=model, fewest=FEWEST_FRAMES)
        known = Description(
            name=model,
            source="Carreira and Zisserman 2017, defined in visfeat.models.i3d",
            input=spec,
            classifier=True,
        )
        return describe(i3d_network(request.weights, subject=model, channels=spec.channels), known, request)


def i3d_network(weights: str, *, subject: str, channels: int = 3) -> nn.Module:
    """The network with random weights or a file's, and as many classes as those have."""

    def build(num_classes: int | None) -> nn.Module:
        with seeded(weights):
            return I3d(num_classes or CLASSES, channels)

    return (
        build(None)
        if random_seed(weights) is not None
        else fill_from_file(build, weights, subject=subject, as_ours=in_our_names)
    )


class I3d(nn.Module):
    """float ``(N, channels, T, H, W)``, in -1 to 1, to logits ``(N, classes)``; T >= 9, H and W >= 193."""

    def __init__(self, classes: int = CLASSES, channels: int = 3) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(channels, 64, 7, stride=2)
        self.MaxPool3d_2a_3x3 = SamePool((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = Unit(64, 64, 1)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3)
        self.MaxPool3d_3a_3x3 = SamePool((1, 3, 3), (1, 2, 2))
        self.Mixed_3b = Mixed(*_MIXED["Mixed_3b"])
        self.Mixed_3c = Mixed(*_MIXED["Mixed_3c"])
        self.MaxPool3d_4a_3x3 = SamePool((3, 3, 3), (2, 2, 2))
        for name in ("Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f"):
            self.add_module(name, Mixed(*_MIXED[name]))
        self.MaxPool3d_5a_2x2 = SamePool((2, 2, 2), (2, 2, 2))
        self.Mixed_5b = Mixed(*_MIXED["Mixed_5b"])
        self.Mixed_5c = Mixed(*_MIXED["Mixed_5c"])
        self.avg_pool = nn.AvgPool3d((2, 7, 7), stride=1)
        self.dropout = nn.Dropout(0.5)
        self.logits = Unit(1024, classes, 1, plain=True)

    def forward(self, clips: Tensor) -> Tensor:
        """One pass; the parts run in the order in which they were made."""
        values = clips
        for part in self.children():
            values = part(values)
        return values.mean((2, 3, 4))


class Unit(nn.Module):
    """A convolution with TensorFlow's padding, batch normalization and a rectifier; ``plain``: with a bias alone."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, plain: bool = False) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=plain)
        self.bn = None if plain else nn.BatchNorm3d(outputs, eps=0.001, momentum=0.01)

    def forward(self, values: Tensor) -> Tensor:
        """``(N, inputs, T, H, W)`` to ``(N, outputs, T', H', W')``, each axis divided by the stride, rounded up."""
        convolved: Tensor = self.conv3d(same_padded(values, self.conv3d.kernel_size, self.conv3d.stride))
        return convolved if self.bn is None else functional.relu(self.bn(convolved))


class SamePool(nn.MaxPool3d):
    """Max pooling with TensorFlow's padding; zeros do no harm where all values are positive."""

    def forward(self, values: Tensor) -> Tensor:
        """Each axis divided by the stride, rounded up."""
        pooled: Tensor = super().forward(same_padded(values, self.kernel_size, self.stride))  # type: ignore[arg-type]
        return pooled


class Mixed(nn.Module):
    """An Inception block: four branches, side by side along the channels."""

    def __init__(self, inputs: int, b0: int, b1a: int, b1b: int, b2a: int, b2b: int, b3b: int) -> None:
        super().__init__()
        self.b0 = Unit(inputs, b0, 1)
        self.b1a = Unit(inputs, b1a, 1)
        self.b1b = Unit(b1a, b1b, 3)
        self.b2a = Unit(inputs, b2a, 1)
        self.b2b = Unit(b2a, b2b, 3)
        self.b3a = SamePool((3, 3, 3), (1, 1, 1))
        self.b3b = Unit(inputs, b3b, 1)

    def forward(self, values: Tensor) -> Tensor:
        """``(N, inputs, T, H, W)`` to ``(N, b0 + b1b + b2b + b3b, T, H, W)``."""
        branches = (self.b0(values), self.b1b(self.b1a(values)), self.b2b(self.b2a(values)), self.b3b(self.b3a(values)))
        return torch.cat(branches, dim=1)


def same_padded(values: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Zeros around T, H and W as TensorFlow's "SAME" puts them: what is odd goes to the end."""
    pads: list[int] = []
    for length, size, step in zip(values.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):
        total = max(size - (int(length) % step or step), 0)
        pads += [total // 2, total - total // 2]
    return functional.pad(values, pads)
