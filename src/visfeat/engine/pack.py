"""Packing: a torch module becomes an OpenVINO graph with one output for each layer.

Conversion takes seconds to half a minute, so it is done once for all layers; an engine then compiles the few that a
recipe asks for. Every packed graph is run beside the module before it is handed out.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from visfeat.card import LayerSpec, ModelCard
from visfeat.errors import CannotPack
from visfeat.models.openvino_runtime import ov
from visfeat.models.packed import PackedModel
from visfeat.models.quiet import quiet
from visfeat.models.resize import serialized
from visfeat.models.shapes import input_shape
from visfeat.models.source import ModuleModel
from visfeat.models.taps import TappedModule

Floats = NDArray[np.floating[Any]]

TRACED_BATCH, CHECKED_BATCH, CHECKED_CLIPS = 2, 3, 1
MOST_VALUES = 2**28
"""How many values (1 GB) all packed layers of one input may have; of more, the largest are packed only if asked for."""
TOLERANCE = 1e-4
"""Largest error of a layer, relative to its largest value, at which a graph still counts as the module's equal."""


def pack(model: ModuleModel, layers: Sequence[str] | None = None) -> PackedModel:
    """Convert the module with all the layers of its card; where that fails, with ``layers``, default and logits only.

    The graph takes float32 ``(N, 3, H, W)``, or ``(N, 3, T, H, W)`` for clips, normalized, N free, and gives each
    layer as the module does. The largest layers of long clips are left out where nobody asks for them.
    Raises CannotPack where the converter refuses or the graph's numbers are not the module's; UnknownLayer.
    """
    card = model.card
    wanted = [card.layer(name).name for name in layers or ()]
    names = {card.default_layer, *filter(None, [card.logits_layer]), *wanted}
    try:
        return _pack(model, _affordable(card.layers, names))
    except CannotPack:
        few = tuple(spec for spec in card.layers if spec.name in names)
        if len(few) == len(card.layers):
            raise
        return _pack(model, few)


def _affordable(layers: tuple[LayerSpec, ...], wanted: set[str]) -> tuple[LayerSpec, ...]:
    """The wanted layers and, from the smallest on, as many others as MOST_VALUES allows."""
    left, kept = MOST_VALUES, set(wanted)
    for spec in sorted(layers, key=lambda spec: math.prod(spec.shape)):
        left -= math.prod(spec.shape)
        if left >= 0:
            kept.add(spec.name)
    return tuple(spec for spec in layers if spec.name in kept)


def _pack(model: ModuleModel, layers: tuple[LayerSpec, ...]) -> PackedModel:
    card = model.card
    tapped = TappedModule(model.module, layers)
    try:
        graph = _convert(tapped, input_shape(card.input))
    except Exception as error:  # the converter lets through whatever its parts raise
        raise CannotPack(f"{card.name}: cannot be converted ({_first_line(error)}); use --engine torch") from error
    packed = PackedModel(_card_of(card, layers), *serialized(_named(graph, layers)))
    check(packed, tapped)
    return packed


def _convert(tapped: TappedModule, shape: tuple[int, ...]) -> Any:
    """Trace and convert, silently: tracing warns about every shape that code looks at, but the check decides."""
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.zeros(TRACED_BATCH, *shape)
    with torch.no_grad(), quiet(), contextlib.redirect_stdout(io.StringIO()):
        # The tracer's own check runs the module again and compares all the outputs, for minutes with many layers.
        decoder = TorchScriptPythonDecoder(tapped, example_input=example, trace_kwargs={"check_trace": False})
        return ov.convert_model(decoder, example_input=example, input=[[-1, *shape]])


def check(packed: PackedModel, tapped: TappedModule, *, tolerance: float = TOLERANCE) -> dict[str, float]:
    """Run graph and module over the same random batch, of another size than the traced one.

    All layers at once, then the embedding and the logits alone, as they are mostly run. Returns each layer's largest
    error relative to the layer's largest value; raises CannotPack above ``tolerance``.
    """
    generator = torch.Generator().manual_seed(1)
    number = CHECKED_CLIPS if packed.card.input.clip_frames > 1 else CHECKED_BATCH
    pixels = torch.randn(number, *input_shape(packed.card.input), generator=generator)
    with torch.inference_mode():
        expected = {spec.name: value.numpy() for spec, value in zip(tapped.layers, tapped(pixels), strict=True)}
    errors = _compare(packed, pixels.numpy(), expected, tolerance)
    # A graph with every layer tapped cannot fuse a norm into its convolution; the few that a recipe taps can.
    few = [name for name in (packed.card.default_layer, packed.card.logits_layer) if name in expected]
    fused = _compare(packed, pixels.numpy(), {name: expected[name] for name in few}, tolerance)
    return errors | {name: max(errors[name], value) for name, value in fused.items()}


def _compare(packed: PackedModel, pixels: Floats, expected: dict[str, Floats], tolerance: float) -> dict[str, float]:
    """Errors of the layers of ``expected`` when they are the only ones tapped; raises CannotPack."""
    try:
        found = run(packed, pixels, tuple(expected))
    except RuntimeError as error:
        raise CannotPack(f"{packed.card.name}: the packed graph does not run ({_first_line(error)})") from error
    errors = {name: relative_error(found[name], value) for name, value in expected.items()}
    for name, value in errors.items():
        if not value <= tolerance:
            raise CannotPack(
                f"{packed.card.name}: layer {name} of the packed graph differs from the module's by {value:.1e} "
                f"(allowed: {tolerance:.0e}); use --engine torch"
            )
    return errors


def run(packed: PackedModel, pixels: Floats, layers: Sequence[str] | None = None) -> dict[str, Floats]:
    """Layers of a packed model for normalized float32 pixels, computed in float32 on the CPU.

    Pixels are ``(N, 3, H, W)``, or ``(N, 3, T, H, W)`` for clips. With ``layers``, the graph is cut down to them
    before it is compiled, as an engine does; without, all are tapped.
    """
    core = ov.Core()
    graph = core.read_model(model=packed.graph_xml, weights=packed.weights)
    names = [spec.name for spec in packed.card.layers] if layers is None else list(layers)
    ports = [graph.output(name).get_node().input_value(0) for name in names]
    graph = ov.Model(ports, graph.get_parameters(), packed.card.name)
    results = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(pixels)
    return {name: np.array(results[index]) for index, name in enumerate(names)}


def relative_error(found: Floats, expected: Floats) -> float:
    """Largest difference divided by the largest expected value; infinite where the shapes differ."""
    if found.shape != expected.shape:
        return float("inf")
    scale = float(np.abs(expected).max(initial=0.0)) or 1.0
    return float(np.abs(found - expected).max(initial=0.0)) / scale


def _named(graph: Any, layers: tuple[LayerSpec, ...]) -> Any:
    """The graph with each output named by its layer, or by its layers: one that passes its input on shares it.

    All other names go: they come from the tracer and mean nothing to a reader.
    """
    if len(graph.outputs) != len(layers):
        raise CannotPack(f"the converter gave {len(graph.outputs)} outputs for {len(layers)} layers")
    for node in graph.get_ops():
        for port in node.outputs():
            port.set_names(set())
    sources = [result.input(0).get_source_output() for result in graph.get_results()]
    unique: dict[tuple[str, int], Any] = {}
    for source, spec in zip(sources, layers, strict=True):
        kept = unique.setdefault((source.get_node().get_friendly_name(), source.get_index()), source)
        kept.add_names({spec.name})
    graph.inputs[0].add_names({"pixels"})
    graph = ov.Model(list(unique.values()), graph.get_parameters(), "packed")
    for number, node in enumerate(graph.get_ordered_ops()):
        # The converter's own names count through the whole process, so the same model would differ in its bytes.
        node.set_friendly_name(f"{node.get_type_name()}_{number}")
    return graph


def _card_of(card: ModelCard, layers: tuple[LayerSpec, ...]) -> ModelCard:
    versions = card.versions | {"openvino": version("openvino")}
    return card.model_copy(update={"layers": layers, "versions": versions})


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
