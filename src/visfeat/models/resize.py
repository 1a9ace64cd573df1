"""Another input size for a graph that takes any: a convolutional network without a fixed grid of positions."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from visfeat.card import InputSpec
from visfeat.errors import UsageError
from visfeat.models.openvino_runtime import ov
from visfeat.models.packed import PackedModel
from visfeat.models.shapes import input_shape, layer_spec

SMALLEST_SIZE_PX = 32


def resized(packed: PackedModel, size_px: int) -> PackedModel:
    """The same network for square inputs of another size; the crop keeps its share of the picture.

    Only for graphs known to follow the input's shape. Raises UsageError where the size is too small.
    """
    if packed.card.input.size_px == (size_px, size_px):
        return packed
    if size_px < SMALLEST_SIZE_PX:
        raise UsageError(f"--size {size_px}: {packed.card.name} takes {SMALLEST_SIZE_PX} pixels or more")
    graph = ov.Core().read_model(model=packed.graph_xml, weights=packed.weights)
    spec = input_at(packed.card.input, size_px)
    graph.reshape([-1, *input_shape(spec)])
    layers = tuple(
        layer_spec(layer.name, item_shape(graph.output(layer.name)), module=layer.module, clip_frames=spec.clip_frames)
        for layer in packed.card.layers
    )
    card = packed.card.model_copy(update={"layers": layers, "input": spec})
    xml, weights = serialized(graph)
    return PackedModel(card, xml, weights)


def input_at(spec: InputSpec, size_px: int) -> InputSpec:
    """The same preprocessing for another square size: what is resized to grows with what is cut out."""
    own = min(spec.size_px)
    to = spec.resize_to_px
    return spec.model_copy(
        update={
            "size_px": (size_px, size_px),
            "resize_px": spec.resize_px * size_px // own,
            "resize_to_px": None if to is None else (to[0] * size_px // own, to[1] * size_px // own),
        }
    )


def item_shape(port: Any) -> tuple[int, ...]:
    """Shape of an output for one image: all axes but the first."""
    return tuple(axis.get_length() for axis in list(port.partial_shape)[1:])


def serialized(graph: Any) -> tuple[bytes, bytes]:
    """XML and weights of an OpenVINO graph, in float32 where it has float32."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.xml"
        ov.save_model(graph, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()
