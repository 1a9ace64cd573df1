"""Reading a graph that others made (ONNX, OpenVINO): its input, its layers, its embedding, its card.

Every operation that gives floats for each image is a layer, under the name that the file gives it.
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from visfeat.card import InputSpec, LayerSpec, ModelCard
from visfeat.errors import ModelError, UsageError
from visfeat.flow.field import MEAN, STD
from visfeat.models.clip_length import with_clip
from visfeat.models.openvino_runtime import ov
from visfeat.models.packed import PackedModel
from visfeat.models.resize import item_shape, serialized
from visfeat.models.shapes import input_shape, layer_spec
from visfeat.models.source import ModelRequest

DEFAULT_SIZE_PX = 224
DEFAULT_CLIP_FRAMES = 16
DEFAULT_CROP_SHARE = 0.875
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Between the last linear layer and the output there may stand these.
_AFTER_LINEAR = {"Add", "Softmax", "LogSoftmax", "Sigmoid", "Reshape", "Squeeze", "Convert", "Multiply", "Subtract"}
_LAYOUTS = {4: ("NCHW", "NHWC"), 5: ("NCDHW", "NDHWC", "NDCHW")}
_ROUNDING = {"FakeQuantize"}
"""What stands before the matrix product of a network in int8."""
_PROBABILITIES = {"Softmax", "LogSoftmax", "Sigmoid"}


def read_graph(path: Path, request: ModelRequest) -> PackedModel:
    """Read an .onnx or .xml file with the card ``STEM.toml`` beside it, whose every field has a default.

    Defaults: the size that the graph wants or 224, the center 87.5% of the picture, ImageNet's mean and deviation; of
    clips the number of frames that it wants or 16. Raises ModelError where it is no network over RGB pictures or
    clips with a free batch axis; UsageError for a wrong size or number of frames.
    """
    given = _read_card(path.with_suffix(".toml"))
    try:
        graph = ov.Core().read_model(path)
    except RuntimeError as error:
        raise ModelError(f"{path}: OpenVINO cannot read it ({str(error).strip().splitlines()[-1][:200]})") from None
    channels = 2 if given.get("input", {}).get("kind") == "flow" else 3
    layout = _layout(path, graph, channels)
    spec = _input_spec(path, graph.inputs[0].partial_shape, layout, given, request)
    graph = _normalized_input(path, graph, layout, spec)
    end = graph.get_results()[0].input(0).get_source_output().get_node()
    graph, layers = _tap_all(path, graph, spec.clip_frames)
    default, logits = _embedding(end, layers)
    fields: dict[str, Any] = {
        # By its file's name, wherever it lies: the digest of its content tells two of one name apart.
        "name": path.name,
        "source": path.name,
        "weights": path.name,
        "weights_digest": _file_digest(path),
        "layers": layers,
        "default_layer": default,
        "logits_layer": logits,
    }
    card = _card(path, fields | given | {"input": spec})
    return PackedModel(card, *serialized(graph))


def _read_card(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"{path}: the card cannot be read ({error})") from None


def _card(path: Path, fields: dict[str, Any]) -> ModelCard:
    try:
        card = ModelCard.model_validate(fields)
    except ValidationError as error:
        raise _bad_card(path, error) from None
    for name in (card.default_layer, card.logits_layer):
        if name is not None:
            card.layer(name)
    return card


def _bad_card(path: Path, error: ValidationError) -> ModelError:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return ModelError(f"{path.with_suffix('.toml')}: the card's {field}: {first['msg']}")


def _layout(path: Path, graph: Any, channels: int) -> str:
    """The order of the axes of the graph's only input, by where its channels are: ``NCHW``, ``NDHWC``, ...

    D is OpenVINO's letter for the axis of time.
    """
    if len(graph.inputs) != 1:
        names = ", ".join(port.get_any_name() for port in graph.inputs)
        raise ModelError(f"{path}: has {len(graph.inputs)} inputs ({names}); a network over pictures has one")
    shape = graph.inputs[0].partial_shape
    if shape.rank.is_dynamic or len(shape) not in _LAYOUTS:
        raise ModelError(f"{path}: its input is {shape}, not (N, 3, H, W) or (N, 3, T, H, W)")
    for layout in _LAYOUTS[len(shape)]:
        axis = shape[layout.index("C")]
        if not axis.is_dynamic and axis.get_length() == channels:
            return layout
    raise ModelError(f"{path}: its input is {shape}; none of its axes has the {channels} channels")


def _input_spec(path: Path, shape: Any, layout: str, given: dict[str, Any], request: ModelRequest) -> InputSpec:
    """The card's input with the graph's own size and number of frames where the card says none."""
    fixed = {
        axis: None if length.is_dynamic else length.get_length() for axis, length in zip(layout, shape, strict=True)
    }
    wanted, size_px = dict(given.get("input", {})), request.size_px
    sides = [size_px, size_px] if size_px is not None else wanted.get("size_px", (fixed["H"], fixed["W"]))
    size = tuple(side or DEFAULT_SIZE_PX for side in sides)
    if any(fixed[axis] not in (None, side) for axis, side in zip("HW", size, strict=True)):
        raise UsageError(f"{path}: takes pictures of {fixed['H']} x {fixed['W']} pixels, not {size[0]} x {size[1]}")
    mean, std = (MEAN, STD) if wanted.get("kind") == "flow" else (IMAGENET_MEAN, IMAGENET_STD)
    defaults: dict[str, Any] = {"resize_px": int(min(size) / DEFAULT_CROP_SHARE), "mean": mean, "std": std}
    if "D" in fixed:
        own = fixed["D"]
        defaults |= {"clip_frames": own or DEFAULT_CLIP_FRAMES, "clip_lengths": () if own is None else (own,)}
    if size_px is not None:
        wanted.pop("resize_px", None)
    try:
        spec = InputSpec.model_validate(defaults | wanted | {"size_px": size})
    except ValidationError as error:
        raise _bad_card(path, error) from None
    if ("D" in fixed) != (spec.clip_frames > 1):
        raise ModelError(f"{path.with_suffix('.toml')}: clip_frames {spec.clip_frames} is not what the graph takes")
    return with_clip(spec, request.clip_frames, model=str(path))


def _normalized_input(path: Path, graph: Any, layout: str, spec: InputSpec) -> Any:
    """The graph with an input float32 ``(N, 3, H, W)`` or ``(N, 3, T, H, W)`` called pixels, N free."""
    builder = ov.preprocess.PrePostProcessor(graph)
    wanted = "NCDHW" if "D" in layout else "NCHW"
    builder.input().tensor().set_element_type(ov.Type.f32).set_layout(ov.Layout(wanted))
    builder.input().model().set_layout(ov.Layout(layout))
    shape = input_shape(spec)
    try:
        graph = builder.build()
        graph.reshape([-1, *shape])
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:200]
        lengths = " x ".join(str(length) for length in shape[1:])
        raise ModelError(f"{path}: does not take batches of {lengths} pixels ({reason})") from None
    graph.inputs[0].set_names({"pixels"})
    return graph


def _tap_all(path: Path, graph: Any, clip_frames: int) -> tuple[Any, tuple[LayerSpec, ...]]:
    """The graph with every operation that gives floats for each image as an output that bears its name."""
    ends = [result.input(0).get_source_output() for result in graph.get_results()]
    if not all(port.partial_shape[0].is_dynamic for port in ends):
        raise ModelError(f"{path}: its batch axis is fixed inside the graph; export it with a free batch axis")
    tapped: dict[str, Any] = {}
    for node in graph.get_ordered_ops():
        if node.get_type_name() in ("Parameter", "Result", "Constant") or len(node.outputs()) != 1:
            continue
        if _is_per_image(node.output(0)) and not _is_made_up(path, node):
            tapped[node.get_friendly_name()] = node.output(0)
    if not tapped:
        raise ModelError(f"{path}: no operation gives one result for each image")
    for name, port in tapped.items():
        port.set_names({name})
    layers = tuple(
        layer_spec(name, item_shape(port), module=port.get_node().get_type_name(), clip_frames=clip_frames)
        for name, port in tapped.items()
    )
    # Built anew: the outputs that the file came with have names of their own.
    return ov.Model(list(tapped.values()), graph.get_parameters(), graph.get_friendly_name()), layers


def _is_made_up(path: Path, node: Any) -> bool:
    """Whether the name is one that the reader of ONNX files counted up, another in every process."""
    name: str = node.get_friendly_name()
    head, _, number = name.rpartition("_")
    return path.suffix == ".onnx" and head == node.get_type_name() and number.isdigit()


def _is_per_image(port: Any) -> bool:
    shape = port.partial_shape
    if not port.element_type.is_real() or shape.rank.is_dynamic or len(shape) < 2:
        return False
    return bool(shape[0].is_dynamic) and all(not axis.is_dynamic for axis in list(shape)[1:])


def _embedding(end: Any, layers: tuple[LayerSpec, ...]) -> tuple[str, str | None]:
    """The layer that the last matrix product reads, and the one that gives the logits; else the output itself."""
    names = {spec.name for spec in layers}
    node = end
    while node.get_type_name() in _AFTER_LINEAR:
        if node.get_type_name() in _PROBABILITIES:
            end = node.input(0).get_source_output().get_node()
        node = node.input(0).get_source_output().get_node()
    output = end.get_friendly_name()
    if node.get_type_name() == "MatMul":
        source = node.input(0).get_source_output().get_node()
        while source.get_type_name() in _ROUNDING:
            source = source.input(0).get_source_output().get_node()
        before = source.get_friendly_name()
        if before in names and output in names:
            return before, output
    return (output if output in names else layers[-1].name), None


def _file_digest(path: Path) -> str:
    """Hex SHA-256 of the file, and of the weights beside an .xml."""
    digest = hashlib.sha256(path.read_bytes())
    weights = path.with_suffix(".bin")
    if path.suffix == ".xml" and weights.is_file():
        digest.update(weights.read_bytes())
    return digest.hexdigest()
