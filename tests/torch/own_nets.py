"""Networks as a user would write them, for tests of ``--model own_nets:function``."""

from __future__ import annotations

import torch
from torch import nn


def classifier() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
    )


def with_card() -> nn.Module:
    net = classifier()
    net.visfeat_card = {
        "input": {"size_px": (64, 64), "resize_px": 80, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
        "default_layer": "1",
        "class_names": ["a", "b", "c", "d", "e"],
        "license": "MIT",
    }
    return net


def wrong_card() -> nn.Module:
    net = classifier()
    net.visfeat_card = {"sise": 3}
    return net


def bare() -> nn.Module:
    return nn.Conv2d(3, 8, 32, 32)


def no_module() -> int:
    return 7


def breaks() -> nn.Module:
    return nn.Linear(9, 2)


class _BatchBound(nn.Module):
    """Its numbers depend on the batch in a way that a traced graph freezes."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.mean((2, 3))) * (3.0 if len(x) < 3 else 2.0)


def cannot_be_packed() -> nn.Module:
    return _BatchBound()


def of_clips() -> nn.Module:
    net = nn.Sequential(
        nn.Conv3d(3, 8, 3, 2, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(8, 5)
    )
    net.visfeat_card = {"input": {"size_px": (32, 32), "resize_px": 40, "clip_frames": 6, "clip_fps": 12.5}}
    return net


class MeanFlow(nn.Module):
    """The mean of each of two channels."""

    visfeat_card = {
        "input": {"kind": "flow", "size_px": (96, 128), "resize_px": 96, "fit": "crop"},
        "classifier": False,
    }

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flat = nn.Flatten()

    def forward(self, flow: torch.Tensor) -> torch.Tensor:
        return self.flat(self.pool(flow))


def mean_flow() -> nn.Module:
    return MeanFlow()
