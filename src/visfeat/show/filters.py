"""The weights of convolutions, from a packed graph or from a module, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UnknownLayer, UsageError, nearest_names
from visfeat.models.openvino_runtime import ov
from visfeat.models.packed import PackedModel
from visfeat.models.registry import load_model
from visfeat.models.source import ModuleModel

if TYPE_CHECKING:
    from torch import nn

_CONVOLUTIONS = {"Convolution": 0, "GroupConvolution": 1}
"""OpenVINO's operations, and how many axes of groups stand before output and input channels."""
_AFTER_CONVOLUTION = {"Add", "Multiply", "Subtract"}


@dataclass(frozen=True)
class Filters:
    """The kernels of one convolution: float32 ``(O, I, T, H, W)``, T = 1 where it does not run over time.

    O output channels; I input channels of each (1 where every channel is filtered by itself).
    """

    layer: str
    values: NDArray[np.float32]

    @property
    def described(self) -> str:
        """Their number and size in words."""
        count, channels, steps, height, width = self.values.shape
        over = f"{steps} x " if steps > 1 else ""
        of = "1 channel" if channels == 1 else f"{channels} channels"
        return f"{count} filters of {over}{height} x {width} over {of}"


def filters(model: str, layer: str | None = None, *, weights: str = "pretrained") -> Filters:
    """The kernels of a layer, by default of the first convolution that looks at more than one place.

    ``model`` and ``weights`` as for ``extract``; a packed model or a run needs no torch. Raises UnknownLayer that
    names the nearest convolution, UsageError where there is none, and what loading a model raises.
    """
    loaded = load_model(model, weights=weights)
    if isinstance(loaded, PackedModel):
        found = _in_graph(loaded, layer)
    elif isinstance(loaded, ModuleModel):
        found = _in_module(loaded.module, layer)
    else:
        raise UsageError(f"{model}: is computed and no network; it has no filters")
    if isinstance(found, Filters):
        return found
    if layer is None or not found:
        raise UsageError(f"{model}: has no convolution over more than one place; there are no filters to show")
    hint = nearest_names(layer, found)
    raise UnknownLayer(f"{model} has no convolution {layer!r}{hint} (the first ones: {', '.join(found[:5])})")


def _in_module(module: nn.Module, layer: str | None) -> Filters | list[str]:
    """The kernels, or the names that there are."""
    names = []
    for path, part in module.named_modules():
        values = getattr(part, "weight", None)
        kind = type(part).__name__
        if values is None or getattr(values, "ndim", 0) not in (4, 5) or "Conv" not in kind or "Transpose" in kind:
            continue
        names.append(path)
        if path == layer or (layer is None and _is_over_places(tuple(values.shape))):
            return Filters(path, _five_axes(values.detach().float().cpu().numpy()))
    return names


def _in_graph(packed: PackedModel, layer: str | None) -> Filters | list[str]:
    graph = ov.Core().read_model(model=packed.graph_xml, weights=packed.weights)
    names = []
    for name, groups, weights in _convolutions(graph):
        names.append(name)
        shape = tuple(weights.get_partial_shape().to_shape())[groups:]
        if name == layer or (layer is None and _is_over_places(shape)):
            values = _constant(weights)
            return Filters(name, _five_axes(values.reshape(-1, *values.shape[1 + groups :])))
    return names


def _convolutions(graph: Any) -> Iterator[tuple[str, int, Any]]:
    """Name, axes of groups and weights of each convolution of a graph whose weights are not computed from the input."""
    for node in graph.get_ordered_ops():
        groups = _CONVOLUTIONS.get(node.get_type_name())
        if groups is None:
            continue
        weights = node.input(1).get_source_output()
        if weights.get_partial_shape().is_static and not _depends_on_input(weights.get_node()):
            yield _layer_name(node), groups, weights


def _layer_name(node: Any) -> str:
    """The layer that the convolution gives, with its bias where that is an operation of its own."""
    given = node.output(0)
    if given.get_names():
        return str(min(given.get_names()))
    for target in given.get_target_inputs():
        after = target.get_node()
        if after.get_type_name() in _AFTER_CONVOLUTION and after.output(0).get_names():
            return str(min(after.output(0).get_names()))
    return str(node.get_friendly_name())


def _depends_on_input(node: Any) -> bool:
    if node.get_type_name() == "Parameter":
        return True
    return any(_depends_on_input(port.get_source_output().get_node()) for port in node.inputs())


def _constant(port: Any) -> NDArray[np.float32]:
    """What a part of the graph without inputs gives: weights may be stored as float16 or int8 and converted."""
    node = port.get_node()
    if node.get_type_name() == "Constant":
        return np.array(node.data, dtype=np.float32)
    compiled = ov.Core().compile_model(ov.Model([port], [], "weights"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled([])[0], dtype=np.float32)


def _is_over_places(shape: tuple[int, ...]) -> bool:
    return int(np.prod(shape[2:])) > 1


def _five_axes(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(O, I, H, W)`` or ``(O, I, T, H, W)`` as the latter."""
    if values.ndim == 3:  # a convolution over one axis
        values = values[:, :, None]
    return values if values.ndim == 5 else values[:, :, None]
