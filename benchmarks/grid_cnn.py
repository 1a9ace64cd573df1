"""A small network of frames for an LSTM that has to know where things are: ``--backbone benchmarks.grid_cnn:grid_cnn``.

Networks for photographs end in a mean over all positions, which is right for what is seen and throws away where. Here a
grid of 4 x 4 cells is left of 32 x 32 pixels, and handed on as a vector, cell by cell.
"""

from __future__ import annotations

from torch import nn

SIDE_PX, CELLS = 32, 4
WIDTHS = (16, 32, 32)


def grid_cnn() -> nn.Sequential:
    """Pictures float ``(N, 3, 32, 32)`` -> one value; its last layer, which an LSTM replaces, is given 512 values."""
    layers = nn.Sequential()
    given = 3
    for number, width in enumerate(WIDTHS, start=1):
        layers.add_module(f"conv{number}", nn.Conv2d(given, width, kernel_size=3, stride=2, padding=1, bias=False))
        layers.add_module(f"norm{number}", nn.BatchNorm2d(width))
        layers.add_module(f"relu{number}", nn.ReLU())
        given = width
    layers.add_module("flatten", nn.Flatten())
    layers.add_module("fc", nn.Linear(given * CELLS * CELLS, 1))
    return layers


grid_cnn.visfeat_card = {  # type: ignore[attr-defined]
    "input": {"size_px": (SIDE_PX, SIDE_PX), "resize_px": SIDE_PX, "mean": (0.5,) * 3, "std": (0.5,) * 3}
}
