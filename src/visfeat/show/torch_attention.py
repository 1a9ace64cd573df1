"""The weights of a transformer's attention, head by head, as its own modules compute them.

    W = softmax(Q K^T / sqrt(d) + bias)                                   (heads, tokens, tokens)

(Vaswani et al., "Attention is all you need", 2017). Fused kernels never have W in memory, so for one pass each part
is told to compute it in steps, and whatever is a square of probabilities for each head is taken.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_QUERY_TO_MASK = 4
"""``nn.MultiheadAttention`` called with more arguments than these by position says itself what it returns."""


def attention_weights(module: nn.Module, pixels: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """One pass over one input ``(1, ...)``: layer -> float32 ``(heads, tokens, tokens)``, each row adding up to 1.

    Layers are named by the module that attends and come in the order of the pass. Attention within windows, and
    linear attention, which has no such weights, are left out.
    """
    found: dict[str, Tensor] = {}

    def take(path: str, values: object) -> None:
        if _are_weights(values) and not any(values is known for known in found.values()):
            found[path] = values  # type: ignore[assignment]

    with _in_steps(module), _watched(module, take), torch.no_grad():
        module(torch.from_numpy(pixels))
    return {path: values[0].float().numpy() for path, values in found.items()}


def _are_weights(values: object) -> bool:
    """Whether it is ``(1, heads, tokens, tokens)`` of probabilities."""
    if not isinstance(values, Tensor) or values.ndim != 4 or len(values) != 1 or values.shape[2] != values.shape[3]:
        return False
    sums = values.sum(dim=-1)
    return bool(values.min() >= 0) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)


@contextlib.contextmanager
def _watched(module: nn.Module, take: Any) -> Iterator[None]:
    """Within: what a dropout is given, and the second of a tuple that a module returns, are shown to ``take``."""

    def hook(path: str) -> Any:
        def observe(part: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if isinstance(part, (nn.Dropout, nn.Identity)) and inputs:
                take(path.rpartition(".")[0], inputs[0])
            elif isinstance(output, tuple) and len(output) > 1:
                take(path, output[1])

        return observe

    handles = [part.register_forward_hook(hook(path)) for path, part in module.named_modules() if path]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def _in_steps(module: nn.Module) -> Iterator[None]:
    """Within: no part of the module uses a fused kernel for attention."""
    with contextlib.ExitStack() as undo:
        configs: dict[int, Any] = {}
        for part in module.modules():
            if getattr(part, "fused_attn", None) is True:  # timm
                undo.callback(setattr, part, "fused_attn", True)
                part.fused_attn = False  # type: ignore[assignment]
            if isinstance(part, nn.MultiheadAttention):  # torchvision, open_clip
                undo.callback(part.register_forward_pre_hook(_with_weights, with_kwargs=True).remove)
            config = getattr(part, "config", None)
            if hasattr(config, "_attn_implementation"):  # transformers
                configs[id(config)] = config
        for config in configs.values():
            undo.callback(setattr, config, "_attn_implementation", config._attn_implementation)
            config._attn_implementation = "eager"
        yield


def _with_weights(
    _part: nn.Module, given: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if len(given) > _QUERY_TO_MASK:
        return given, named
    return given, named | {"need_weights": True, "average_attn_weights": False}
