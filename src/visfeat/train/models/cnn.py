"""A convolutional network for small pictures: the one with which textbooks teach handwritten digits.

    pixels (N, 1, 28, 28)
    conv1   O(c, i, j) = b(c) + sum_k sum_m sum_n I(k, i + m - 1, j + n - 1) K(c, k, m, n)     (N, 32, 28, 28)
    relu1   max(0, x)
    pool    P(c, i, j) = max over m, n in {0, 1} of O(c, 2 i + m, 2 j + n)                     (N, 32, 14, 14)
    fc1     W x + b, of all 32 * 14 * 14 values                                                (N, 128)
    relu2   max(0, x)
    fc2     W x + b, one value a class; softmax makes probabilities of them                    (N, classes)

What deep learning calls a convolution is a cross-correlation: the kernel K is not mirrored. Pixels outside of the
picture count as 0 (padding 1), so that the map is as large as the picture. LeCun et al., "Gradient-based learning
applied to document recognition", 1998.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue look (ITU-R BT.601); they add up to 1."""


class Gray(nn.Module):
    """Pictures ``(N, 3, H, W)`` -> ``(N, 1, H, W)`` by luma; those of one channel stay as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("luma", torch.tensor(LUMA).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """The weighted sum over the channels."""
        if pixels.shape[1] == 1:
            return pixels
        return (pixels * self.get_buffer("luma")).sum(dim=1, keepdim=True)


class Cnn(nn.Module):
    """Convolution, ReLU, max pooling, and two fully connected layers.

    ``size_px`` is the pictures' height and width; ``channels`` 1 looks at brightness alone, 3 at colors;
    ``dropout`` is the share of the 128 features that training leaves out at random (Srivastava et al. 2014).
    """

    def __init__(
        self,
        classes: int,
        *,
        size_px: tuple[int, int] = (28, 28),
        channels: int = 1,
        width: int = 32,
        features: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        height, wide = size_px
        self.gray = Gray() if channels == 1 else nn.Identity()
        self.conv1 = nn.Conv2d(channels, width, kernel_size=3, padding=1)
        self.relu1 = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(width * (height // 2) * (wide // 2), features)
        self.relu2 = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(features, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalized pictures float ``(N, 1 or 3, H, W)`` -> logits ``(N, classes)``."""
        maps = self.pool(self.relu1(self.conv1(self.gray(pixels))))
        features = self.relu2(self.fc1(maps.flatten(1)))
        return self.fc2(self.dropout(features))  # type: ignore[no-any-return]
