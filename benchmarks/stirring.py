"""Weights for comparisons: random ones in which every part of a network matters."""

from __future__ import annotations

import torch
from torch import nn


def stir(module: nn.Module, seed: int = 0) -> None:
    """Give every constant parameter and every running statistic values as training would leave them.

    Fresh networks hide errors: norms that change nothing, residual branches and heads multiplied by zero.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, values in (*module.named_parameters(), *module.named_buffers()):
            if not values.is_floating_point() or values.numel() < 2 or not bool((values == values.flatten()[0]).all()):
                continue
            if values.ndim > 1:
                values.normal_(0, 0.02, generator=generator)
            elif name.endswith(("bias", "running_mean")):
                values.normal_(0, 0.1, generator=generator)
            else:
                values.uniform_(0.5, 1.5, generator=generator)
