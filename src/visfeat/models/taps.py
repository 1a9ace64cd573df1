"""Taps: the outputs of a module's inner layers, each with the values that the layer itself gave.

A layer's name is its path in ``named_modules``. A module that is called several times in one pass has the layers
``name#0``, ``name#1``, ...; one that is never called has none. Of a tuple or mapping the first tensor counts.
``output`` is what the whole module returns, ``name:input`` what a module is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from visfeat.card import LayerSpec

OUTPUT = "output"
"""Name of the layer that stands for the whole module."""

INPUT = ":input"
"""End of the name of a layer that stands for what a module is given."""

Observer = Callable[[str, int, nn.Module, tuple[Any, ...], Tensor], None]
"""Called with path, number of the call, module, its inputs and its first output tensor."""


def first_tensor(output: object) -> Tensor | None:
    """The tensor itself, or the first one of a tuple, list or mapping; None where there is none."""
    if isinstance(output, Tensor):
        return output
    parts = output.values() if isinstance(output, Mapping) else output if isinstance(output, (tuple, list)) else ()
    for part in parts:
        tensor = first_tensor(part)
        if tensor is not None:
            return tensor
    return None


def freeze(module: nn.Module) -> nn.Module:
    """Put a module into the state in which it is tapped: eval mode, no gradients, nothing done in place.

    An activation in place overwrites the output of the layer before it, which would then be tapped wrongly.
    """
    module.eval().requires_grad_(False)
    for part in module.modules():
        if isinstance(getattr(part, "inplace", None), bool):
            part.inplace = False  # type: ignore[assignment]
    # The fused path of attention skips the inner modules, so that their hooks would see nothing.
    torch.backends.mha.set_fastpath_enabled(False)
    return module


def split_call(name: str) -> tuple[str, int]:
    """Path and number of the call: ``relu#2`` -> ("relu", 2); ``conv1`` -> ("conv1", 0)."""
    path, _, number = name.rpartition("#")
    return (path, int(number)) if path and number.isdigit() else (name, 0)


class Watched:
    """A context in which every call of the modules at ``paths`` (None for all) is shown to an observer."""

    def __init__(self, module: nn.Module, observer: Observer, paths: set[str] | None = None) -> None:
        self._parts = [
            (path, part) for path, part in module.named_modules() if path and (paths is None or path in paths)
        ]
        self._observer = observer
        self._calls: Counter[str] = Counter()
        self._handles: list[Any] = []

    def __enter__(self) -> Watched:
        self._calls.clear()
        self._handles = [part.register_forward_hook(self._hook(path)) for path, part in self._parts]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _hook(self, path: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def hook(part: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            number = self._calls[path]
            self._calls[path] += 1
            tensor = first_tensor(output)
            if tensor is not None:
                self._observer(path, number, part, inputs, tensor)

        return hook


class TappedModule(nn.Module):
    """A module that returns the outputs of the given layers, in their order.

    ``forward`` takes float ``(N, 3, H, W)``, or ``(N, 3, T, H, W)`` for clips, and returns a tuple of tensors
    ``(N, *spec.shape)``: clones, so that nothing done in place later in the pass (``x += shortcut``) changes them.
    """

    def __init__(self, module: nn.Module, layers: Sequence[LayerSpec]) -> None:
        super().__init__()
        self.module = freeze(module)
        self.layers = tuple(layers)
        self._wanted = {split_call(spec.name): spec for spec in layers}

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """One pass over a batch."""
        taken: dict[str, Tensor] = {}

        def take(path: str, number: int, _part: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            for key, values in (((path, number), output), ((path + INPUT, number), first_tensor(inputs))):
                spec = self._wanted.get(key)
                if spec is not None and values is not None:
                    taken[spec.name] = _per_item(values, spec).clone()

        with Watched(self.module, take, {path.removesuffix(INPUT) for path, _ in self._wanted}):
            result = first_tensor(self.module(pixels))
        if result is not None and (OUTPUT, 0) in self._wanted and OUTPUT not in taken:
            taken[OUTPUT] = _per_item(result, self._wanted[OUTPUT, 0]).clone()
        return tuple(taken[spec.name] for spec in self.layers)


def _per_item(output: Tensor, spec: LayerSpec) -> Tensor:
    """Give windows ``(N * windows, ...)`` their own axis: ``(N, windows, ...)``; leave the rest as it is."""
    if output.ndim == len(spec.shape) + 1:
        return output
    return output.reshape(-1, *spec.shape)
