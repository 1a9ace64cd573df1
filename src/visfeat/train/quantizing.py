"""A run's network in integers of 8 bits (post-training quantization by NNCF), and what that costs in accuracy.

Each tensor's range is measured on training samples (Jacob et al., "Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference", 2018); nothing is trained.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.card import InputSpec, ModelCard
from visfeat.errors import CannotPack, MissingExtra, UsageError
from visfeat.models.openvino_runtime import ov
from visfeat.models.quiet import quiet
from visfeat.models.runs import SETTINGS, run_folder
from visfeat.train.answers import answers_of
from visfeat.train.data.examples import Split
from visfeat.train.data.known_split import known_split
from visfeat.train.data.loading import load_split
from visfeat.train.data.samples import Samples
from visfeat.train.evaluate import evaluation_of
from visfeat.train.evaluation import Evaluation
from visfeat.train.graph_files import check_ending, logits_graph, packed_run, remove_files, write_graph
from visfeat.train.metrics import Interval
from visfeat.train.run_card import RunCard
from visfeat.train.settings import Settings

CALIBRATION_SAMPLES = 300
_MEASURED: tuple[Split, ...] = ("test", "val", "train")
_BATCH = 16
Report = Callable[[str], None]


@dataclass(frozen=True)
class Loss:
    """The scores of a network and of the same in int8, over the files of one split of its run."""

    split: Split
    """test, else val; train where the run has neither."""
    files: int
    before: dict[str, Interval]
    after: dict[str, Interval]


def export_int8(run: str, out: Path, *, report: Report = lambda _: None) -> Loss:
    """Write the network in int8 as OpenVINO's STEM.xml with its card, calibrated on training samples of the run.

    Raises UsageError where the data are gone or the name does not end in .xml, CannotPack where it cannot be
    quantized, MissingExtra without NNCF.
    """
    check_ending(out, "openvino")
    quantize = _quantizer()
    packed, card = packed_run(run), RunCard.load(run_folder(run))
    assert card.input is not None
    known = _KnownSamples(run, card, report)
    graph = logits_graph(packed)
    measured = next(split for split in _MEASURED if card.data.splits.get(split))
    samples = known.of(measured)
    before = _scores(run, card, samples, graph)
    small = quantize(graph, known.of("train", most=CALIBRATION_SAMPLES), card.input, packed.card)
    after = _scores(run, card, samples, small)
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_graph(small, packed.card, out)
    except BaseException:
        remove_files(out)
        raise
    return Loss(measured, before.files, before.metrics, after.metrics)


def normalized(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """Samples uint8 ``(N, T, H, W, 3)`` as a graph takes them: float32 ``(N, 3, H, W)``, clips ``(N, 3, T, H, W)``."""
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
    values = (pixels.astype(np.float32) / 255 - mean) / std
    batch: NDArray[np.float32] = np.ascontiguousarray(np.moveaxis(values, -1, 1), np.float32)
    return batch if spec.clip_frames > 1 else batch[:, :, 0]


class _KnownSamples:
    """The samples of a run's splits, decoded again."""

    def __init__(self, run: str, card: RunCard, report: Report) -> None:
        self._run, self._card, self._report = run, card, report
        self._folder = run_folder(run)
        self._settings = Settings.from_toml(self._folder / SETTINGS).model_copy(update={"cache": "ram"})

    def of(self, split: Split, *, most: int | None = None) -> Samples:
        """All of a split, or ``most`` of its files, taken evenly."""
        known = known_split(self._folder, split, ())
        if not known.examples:
            raise UsageError(f"--precision int8: {self._run}: the files of its {split} split are not there any more")
        if most is not None:
            known = known.spread(most)
        assert self._card.input is not None
        scratch = self._folder / f".int8-{os.getpid()}"
        try:
            return load_split(known, self._settings, self._card.input, scratch, report=self._report)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _quantizer() -> Callable[[Any, Samples, InputSpec, ModelCard], Any]:
    try:
        import nncf
    except ModuleNotFoundError:
        raise MissingExtra("--precision int8 (nncf)", extra="int8") from None

    def quantize(graph: Any, samples: Samples, spec: InputSpec, card: ModelCard) -> Any:
        transformer = nncf.ModelType.TRANSFORMER if _attends(graph, card) else None
        count = len(samples.source_of)
        chosen = np.unique(np.linspace(0, count - 1, min(count, CALIBRATION_SAMPLES)).astype(np.int64))
        data = nncf.Dataset(chosen, lambda n: normalized(samples.pixels.take(np.array([n])), spec))
        try:
            # It prints what it does, and warns of what cannot matter here.
            with quiet(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                return nncf.quantize(graph, data, subset_size=len(chosen), model_type=transformer)
        except (RuntimeError, ValueError, nncf.ValidationError, nncf.InternalError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
            raise CannotPack(f"{card.name}: cannot be quantized ({reason})") from error

    return quantize


def _attends(graph: Any, card: ModelCard) -> bool:
    """Whether it is a transformer, whose parts are quantized otherwise."""
    types = {node.get_type_name() for node in graph.get_ops()}
    return "ScaledDotProductAttention" in types or any(layer.kind == "tokens" for layer in card.layers)


def _scores(run: str, card: RunCard, samples: Samples, graph: Any) -> Evaluation:
    """What ``evaluate`` would say of the graph."""
    assert card.input is not None
    logits = np.concatenate(list(_logits(samples, card.input, graph)))
    common = Evaluation(run=run, data=card.data.sources, split="", classes=card.classes)
    return evaluation_of(common, card, answers_of(card, samples, logits))


def _logits(samples: Samples, spec: InputSpec, graph: Any) -> Iterator[NDArray[np.float32]]:
    compiled = ov.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    count = len(samples.source_of)
    for start in range(0, count, _BATCH):
        part = np.arange(start, min(start + _BATCH, count))
        found = compiled(normalized(samples.pixels.take(part), spec))[0]
        yield np.array(found, np.float32).reshape(len(part), -1)
