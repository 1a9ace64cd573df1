"""The OpenVINO engine: runs packed models on CPUs and Intel GPUs.

float32 is said explicitly, since OpenVINO would otherwise choose bf16 where the CPU has it. Results are bit-equal
for any batch size, order and neighbors on one instruction set (measured for eleven networks; see docs).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.card import LayerSpec
from visfeat.engine.cpu import cpu_features
from visfeat.engine.network import NetworkOptions, Outputs, Tag
from visfeat.errors import EngineError, UsageError
from visfeat.models.openvino_runtime import ov
from visfeat.models.packed import PackedModel
from visfeat.models.source import LoadedModel

DEFAULT_BATCH_SIZES = {"cpu": 2, "intel-gpu": 16}
"""On a CPU each core runs a batch of its own: small ones stay in its cache (benchmarks/batches.py: 1.26x of 16)."""
_DEVICES = {"cpu": "CPU", "intel-gpu": "GPU"}
_PRECISIONS = {"f32": "f32", "bf16": "bf16", "fp16": "f16"}


class OpenvinoEngine:
    """Compiles packed models with OpenVINO."""

    name = "openvino"

    def compile(self, model: LoadedModel, options: NetworkOptions) -> OpenvinoNetwork:
        """Compile the wanted layers as one graph; raises EngineError, UnknownLayer or UsageError."""
        if not isinstance(model, PackedModel):
            raise EngineError(f"{model.card.name}: the openvino engine runs packed models only; pack it first")
        return OpenvinoNetwork(model, options)


class OpenvinoNetwork:
    """A graph compiled for one device and batch size."""

    def __init__(self, model: PackedModel, options: NetworkOptions) -> None:
        """Compile; the graph is cut down to what the wanted layers need."""
        self.layers: tuple[LayerSpec, ...] = tuple(model.card.layer(name) for name in options.layers)
        self.batch_size = options.whole_rows(DEFAULT_BATCH_SIZES.get(options.device, 1))
        core = ov.Core()
        device = _device(core, options.device)
        graph = build_graph(core, model, options, self.batch_size)
        self._compiled = _compile(core, graph, device, model.card.name, options)
        # One more than optimal: the next batch waits at the device, not in Python.
        self._jobs = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")) + 1
        self.facts: Mapping[str, str] = {
            "engine": "openvino",
            "openvino": ov.get_version(),
            "device": options.device,
            "device_name": str(core.get_property(device, "FULL_DEVICE_NAME")),
            "cpu_features": " ".join(cpu_features()),
            "precision": options.precision,
            "batch_size": str(self.batch_size),
        }

    def stream(self, batches: Iterable[tuple[Tag, NDArray[np.uint8]]]) -> Iterator[tuple[Tag, Outputs]]:
        """Run batches uint8 ``(B, T, H, W, C)``; results come in the order of the batches.

        Several threads may do so at once, each with its own requests. No Python callback is left with OpenVINO's
        threads: freeing a graph waits for them while it holds Python's lock, for which the last callback would wait.
        """
        idle = [self._compiled.create_infer_request() for _ in range(self._jobs)]
        running: deque[tuple[Tag, ov.InferRequest]] = deque()
        try:
            for tag, pixels in batches:
                self._check(pixels)
                if not idle:
                    yield self._finished(running, idle)
                request = idle.pop()
                request.start_async({0: pixels if self._takes_clips else pixels[:, 0]})
                running.append((tag, request))
            while running:
                yield self._finished(running, idle)
        except RuntimeError as error:
            raise EngineError(f"openvino: {error}") from error
        finally:
            for _, request in running:
                request.wait()

    def _finished(
        self, running: deque[tuple[Tag, ov.InferRequest]], idle: list[ov.InferRequest]
    ) -> tuple[Tag, Outputs]:
        """Wait for the batch that started first; its request goes back to the idle ones."""
        tag, request = running[0]
        request.wait()
        running.popleft()
        # The request's own buffers are used again by another batch: copy.
        outputs = {spec.name: request.get_output_tensor(i).data.copy() for i, spec in enumerate(self.layers)}
        idle.append(request)
        return tag, outputs

    @property
    def _takes_clips(self) -> bool:
        return len(self._compiled.input(0).shape) == 5

    def _check(self, pixels: NDArray[np.uint8]) -> None:
        if pixels.dtype != np.uint8 or pixels.ndim != 5 or len(pixels) != self.batch_size:
            expected = f"uint8 ({self.batch_size}, T, H, W, C)"
            raise EngineError(f"openvino: a batch must be {expected}; got {pixels.dtype} {pixels.shape}")


def build_graph(core: ov.Core, model: PackedModel, options: NetworkOptions, batch_size: int) -> ov.Model:
    """The packed graph with the wanted outputs only, taking uint8 ``(B, H, W, C)`` or ``(B, T, H, W, C)``.

    ``(pixel - 255 mean) / (255 std)`` stands at its beginning.
    """
    weights = ov.Tensor(np.frombuffer(model.weights, dtype=np.uint8))
    whole = core.read_model(model.graph_xml, weights)
    outputs = [_output(whole, name) for name in options.layers]
    graph = ov.Model(outputs, whole.get_parameters(), model.card.name)
    clips = graph.input(0).partial_shape.rank.get_length() == 5
    steps = ov.preprocess.PrePostProcessor(graph)
    # The name of the axis T is free in OpenVINO's layouts; D is its word for depth.
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NDHWC" if clips else "NHWC"))
    mean = [255.0 * value for value in options.input.mean]
    std = [255.0 * value for value in options.input.std]
    steps.input().preprocess().convert_element_type(ov.Type.f32).mean(mean).scale(std)
    steps.input().model().set_layout(ov.Layout("NCDHW" if clips else "NCHW"))
    for index in range(len(outputs)):
        steps.output(index).tensor().set_element_type(ov.Type.f32)
    graph = steps.build()
    height, width = options.input.size_px
    frames = [options.input.clip_frames] if clips else []
    try:
        graph.reshape([batch_size, *frames, height, width, options.input.channels])
    except RuntimeError as error:
        first = str(error).strip().splitlines()[-1]
        raise UsageError(f"{model.card.name} does not take {height} x {width} px ({first})") from None
    return graph


def _output(graph: ov.Model, layer: str) -> ov.Output:
    """The output that carries a layer's name; the card has checked the name before."""
    for output in graph.outputs:
        if layer in output.get_names():
            return output.get_node().input_value(0)
    raise EngineError(f"the graph has no output named {layer!r} though its card lists it; pack the model anew")


def _device(core: ov.Core, wanted: str) -> str:
    name = _DEVICES.get(wanted)
    if name is None:
        raise UsageError(f"--device {wanted}: the openvino engine runs on {' and '.join(_DEVICES)}")
    if not any(available.split(".")[0] == name for available in core.available_devices):
        raise UsageError(f"--device {wanted}: OpenVINO finds no such device here; use --device cpu")
    return name


def _compile(core: ov.Core, graph: ov.Model, device: str, name: str, options: NetworkOptions) -> ov.CompiledModel:
    if options.precision != "f32" and device == "CPU" and options.precision not in cpu_precisions():
        raise UsageError(
            f"--precision {options.precision}: this CPU has no instructions for it (it has: f32"
            + "".join(f", {each}" for each in sorted(cpu_precisions()))
            + ")"
        )
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_PRECISION_HINT": _PRECISIONS[options.precision],
    }
    if options.threads is not None and device == "CPU":
        settings["INFERENCE_NUM_THREADS"] = options.threads
    try:
        return core.compile_model(graph, device, settings)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise EngineError(f"{name}: OpenVINO cannot compile it for {device} ({reason})") from error


def cpu_precisions() -> set[str]:
    """Reduced precisions for which this CPU has instructions."""
    features = set(cpu_features())
    found = set()
    if features & {"avx512_bf16", "amx_bf16", "bf16"}:
        found.add("bf16")
    if features & {"avx512_fp16", "amx_fp16", "asimdhp"}:
        found.add("fp16")
    return found
