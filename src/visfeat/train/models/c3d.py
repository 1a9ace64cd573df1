"""C3D: convolutions over time as well as over the picture.

Tran et al., "Learning Spatiotemporal Features with 3D Convolutional Networks", 2015: eight convolutions of 3 x 3 x 3,

    O(c, t, i, j) = b(c) + sum_k sum_l sum_m sum_n I(k, t + l - 1, i + m - 1, j + n - 1) K(c, k, l, m, n)

each followed by ReLU, five max poolings (the first over space alone, so that early layers keep every frame), and three
fully connected layers. The paper's own network has width 64 and sees 16 frames of 112 x 112 pixels; a quarter of the
width has a sixteenth of the weights.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

MOST_CELLS = 4
"""Height and width of the last map of the paper's network."""


class C3d(nn.Module):
    """The network of the paper, scaled in width, for clips of ``clip_frames`` frames of ``size_px`` (height, width).

    ``width``: channels of the first convolution (64 in the paper; the fully connected layers have 64 times as many).
    ``batch_norm`` puts a batch normalization behind each convolution
    (Ioffe and Szegedy 2015), which the paper's network has not and which trains sooner.
    """

    def __init__(
        self,
        classes: int,
        *,
        clip_frames: int = 16,
        size_px: tuple[int, int] = (112, 112),
        width: int = 64,
        dropout: float = 0.5,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        sides = (clip_frames, *size_px)
        self.group1, sides = _group(3, width, 1, sides, pool=(1, 2, 2), batch_norm=batch_norm)
        self.group2, sides = _group(width, 2 * width, 1, sides, batch_norm=batch_norm)
        self.group3, sides = _group(2 * width, 4 * width, 2, sides, batch_norm=batch_norm)
        self.group4, sides = _group(4 * width, 8 * width, 2, sides, batch_norm=batch_norm)
        self.group5, sides = _group(8 * width, 8 * width, 2, sides, batch_norm=batch_norm)
        cells = [min(MOST_CELLS, side) for side in sides[1:]]
        # Clips of 16 frames have one step left here, longer ones more: their mean.
        self.steps = nn.AdaptiveAvgPool3d((1, cells[0], cells[1]))
        self.fc6 = nn.Linear(8 * width * cells[0] * cells[1], 64 * width)
        self.relu6 = nn.ReLU()
        self.dropout6 = nn.Dropout(dropout)
        self.fc7 = nn.Linear(64 * width, 64 * width)
        self.relu7 = nn.ReLU()
        self.dropout7 = nn.Dropout(dropout)
        self.fc8 = nn.Linear(64 * width, classes)

    def forward(self, clips: Tensor) -> Tensor:
        """Normalized clips float ``(N, 3, T, H, W)`` -> logits ``(N, classes)``."""
        maps = self.group5(self.group4(self.group3(self.group2(self.group1(clips)))))
        values = self.steps(maps).flatten(1)
        values = self.dropout6(self.relu6(self.fc6(values)))
        values = self.dropout7(self.relu7(self.fc7(values)))
        return self.fc8(values)  # type: ignore[no-any-return]


def _group(
    given: int,
    width: int,
    convolutions: int,
    sides: tuple[int, int, int],
    *,
    pool: tuple[int, int, int] = (2, 2, 2),
    batch_norm: bool,
) -> tuple[nn.Sequential, tuple[int, int, int]]:
    """Convolutions of one width, then a max pooling that keeps what does not fill a window, as the paper's code does.

    ``sides``: frames, height and width of what comes in; those of what comes out are returned too. An axis of which
    one value is left is pooled no further.
    """
    parts = nn.Sequential()
    for number in range(convolutions):
        convolution = nn.Conv3d(given if number == 0 else width, width, kernel_size=3, padding=1)
        # Keeps the size of the values through eight layers (He et al. 2015), without which they would fade.
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        parts.append(convolution)
        if batch_norm:
            parts.append(nn.BatchNorm3d(width))
        parts.append(nn.ReLU())
    time, down, right = (min(window, side) for window, side in zip(pool, sides, strict=True))
    parts.append(nn.MaxPool3d((time, down, right), stride=(time, down, right), ceil_mode=True))
    frames, height, wide = (math.ceil(side / n) for side, n in zip(sides, (time, down, right), strict=True))
    return parts, (frames, height, wide)
