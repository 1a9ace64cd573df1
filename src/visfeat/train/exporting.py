"""A run's network in other programs' formats, ONNX and OpenVINO, compared with the packed network before it stays."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from visfeat.card import ModelCard
from visfeat.engine.pack import TOLERANCE, relative_error
from visfeat.engine.pack import run as run_packed
from visfeat.errors import CannotPack
from visfeat.models.openvino_runtime import ov
from visfeat.models.packed import PackedModel
from visfeat.models.registry import load_model
from visfeat.models.shapes import input_shape
from visfeat.train.graph_files import check_ending, logits_graph, packed_run, remove_files, write_card, write_graph
from visfeat.train.reopening import module_of_run

CHECKED_BATCH = 3


def export_run(run: str, out: Path, *, to: str) -> float:
    """Write the network, pixels ``(N, 3, ...)`` to logits, and a card beside it; returns the largest relative error.

    The pixels are normalized as the card ``STEM.toml`` says; visfeat and others read both together. Raises UsageError
    for another ending, CannotPack where the file does not give the packed network's logits to 1e-4.
    """
    check_ending(out, to)
    packed = packed_run(run)
    card = packed.card
    out.parent.mkdir(parents=True, exist_ok=True)
    if to == "onnx":
        _write_onnx(run, out, card)
        write_card(card, out)
    else:
        write_graph(logits_graph(packed), card, out)
    try:
        return _compared(packed, out)
    except BaseException:
        remove_files(out)
        raise


def _write_onnx(run: str, out: Path, card: ModelCard) -> None:
    module = module_of_run(run).module
    names: dict[str, Any] = {"input_names": ["pixels"], "output_names": ["logits"]}
    axes = {"pixels": {0: "batch"}, "logits": {0: "batch"}}
    example = (torch.zeros(2, *input_shape(card.input)),)
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer warns of every shape that code looks at, but the comparison decides.
        warnings.simplefilter("ignore")
        torch.onnx.export(module, example, str(out), dynamic_axes=axes, dynamo=False, **names)


def _compared(packed: PackedModel, out: Path) -> float:
    """Run both on the same random pixels; raises CannotPack where they differ, or where the file does not run."""
    pixels = np.random.default_rng(0).normal(size=(CHECKED_BATCH, *input_shape(packed.card.input))).astype(np.float32)
    logits = packed.card.logits_layer
    assert logits is not None
    expected = run_packed(packed, pixels, (logits,))[logits]
    try:
        again = load_model(str(out))
        assert isinstance(again, PackedModel)
        (found,) = (
            ov.Core()
            .compile_model(ov.Core().read_model(out), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(pixels)
            .values()
        )
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:200]
        raise CannotPack(f"{out}: the file that was written does not run ({reason})") from error
    differing = relative_error(np.asarray(found), expected)
    if not differing <= TOLERANCE:
        allowed = f"allowed: {TOLERANCE:.0e}"
        raise CannotPack(f"{out}: its logits differ from the packed network's by {differing:.1e} ({allowed})")
    return differing
