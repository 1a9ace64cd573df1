"""What of a run's network goes into other programs' files: the graph from pixels to logits, and the card beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli_w

from visfeat.card import ModelCard
from visfeat.errors import ModelError, UsageError
from visfeat.models.openvino_runtime import ov
from visfeat.models.packed import PackedModel
from visfeat.models.runs import PACKED, run_folder

ENDINGS = {"onnx": ".onnx", "openvino": ".xml"}


def check_ending(out: Path, to: str) -> None:
    """Raise UsageError for a format that is not there, or a file's name that does not fit it."""
    if to not in ENDINGS:
        raise UsageError(f"--to {to}: there are {', '.join(ENDINGS)}")
    if out.suffix != ENDINGS[to]:
        raise UsageError(f"-o {out}: the name of a file for {to} ends in {ENDINGS[to]}")


def packed_run(run: str) -> PackedModel:
    """The run's packed model; raises UnknownModel, and ModelError where it has none or it gives no classes."""
    packed = PackedModel.load(run_folder(run) / PACKED)
    if packed.card.logits_layer is None:
        raise ModelError(f"{run}: its network gives no classes")
    return packed


def logits_graph(packed: PackedModel) -> Any:
    """The graph from normalized pixels float32 ``(N, 3, ...)`` to logits alone."""
    graph = ov.Core().read_model(model=packed.graph_xml, weights=packed.weights)
    logits = graph.output(packed.card.logits_layer).get_node().input_value(0)
    return ov.Model([logits], graph.get_parameters(), packed.card.name)


def write_graph(graph: Any, card: ModelCard, out: Path) -> None:
    """The graph as ``STEM.xml`` and ``STEM.bin``, with its card."""
    ov.save_model(graph, str(out), compress_to_fp16=False)
    write_card(card, out)


def write_card(card: ModelCard, out: Path) -> None:
    """``STEM.toml`` beside the graph: how pixels are prepared, and the classes. visfeat reads both together."""
    fields = {"input", "class_names", "heads", "multilabel", "license"}
    text = tomli_w.dumps(card.model_dump(mode="json", include=fields, exclude_none=True))
    out.with_suffix(".toml").write_text(text, "utf-8")


def remove_files(out: Path) -> None:
    """The graph and what lies beside it."""
    for suffix in (out.suffix, ".toml", ".bin"):
        out.with_suffix(suffix).unlink(missing_ok=True)
