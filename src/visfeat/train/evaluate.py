"""``evaluate``: how well a run's packed model does on labeled data; without torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.class_groups import groups_of, head_slices, labels_in, probabilities
from visfeat.engine.activations import activations
from visfeat.engine.prepare import Prepared, prepare
from visfeat.errors import ModelError, UsageError
from visfeat.models.packed import PackedModel
from visfeat.models.runs import PACKED, SETTINGS, run_folder
from visfeat.recipe import Recipe
from visfeat.train.data.loading import load_samples
from visfeat.train.data.samples import Samples
from visfeat.train.evaluation import Evaluation, Mistake
from visfeat.train.judging import judge, judge_labels, surest_mistakes
from visfeat.train.run_card import RunCard
from visfeat.train.settings import Settings

Report = Callable[[str], None]


@dataclass(frozen=True)
class _Answers:
    """What the network said of the samples that are evaluated."""

    samples: Samples
    """With the run's classes, whatever the data's own are."""
    indices: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    """``(N, classes)`` of the samples ``indices``."""
    sources: NDArray[np.int64]
    """The F files that they come from."""
    of_file: NDArray[np.float64]
    """``(F, classes)``: the mean over a file's samples."""
    targets: NDArray[Any]
    """``(F,)`` or ``(F, classes)``."""
    groups: NDArray[Any]


def evaluate(run: str, data: tuple[str, ...] = (), *, report: Report = lambda _: None) -> Evaluation:
    """Measure a run on its own test split (its validation split where it has none), or on all of other data.

    Raises UnknownModel, ModelError, and UsageError for data with classes that the run does not know.
    """
    folder = run_folder(run)
    card = RunCard.load(folder)
    if card.input is None or card.not_packed is not None:
        raise ModelError(f"{run}: has no packed network to evaluate ({card.not_packed or 'it reads stored features'})")
    settings = Settings.from_toml(folder / SETTINGS)
    if data:
        settings = settings.model_copy(update={"data": data, "val": 0.0, "test": 0.0})
    split = "all" if data else "test" if card.data.splits.get("test") else "val"
    if not data and not card.data.splits.get(split):
        raise UsageError(f"{run}: has no split that it was not trained on; name labeled data to evaluate it on")
    layer = _logits_layer(folder)
    samples = load_samples(settings, card.input, folder / "cache", report=report, check=False)
    unknown = sorted(set(samples.classes) - set(card.classes))
    if unknown:
        raise UsageError(
            f"{', '.join(unknown[:5])}: classes that {run} was not trained on ({', '.join(card.classes[:20])})"
        )
    indices = np.arange(len(samples.source_of)) if split == "all" else samples.indices(split)  # type: ignore[arg-type]
    if not len(indices):
        raise UsageError(f"{run}: none of the files of its {split} split is there any more")
    prepared = prepare(Recipe(model=str(folder), layers=(layer,)))
    answers = _answers(replace(samples, classes=card.classes), indices, card, _logits(prepared, samples, indices))
    common = Evaluation(
        run=run,
        data=settings.data,
        split=split,
        files=len(answers.sources),
        samples=len(indices),
        classes=card.classes,
        metrics={},
        rejected=samples.rejected,
    )
    return _evaluation(common, card, answers)


def _logits_layer(folder: Path) -> str:
    layer = PackedModel.load(folder / PACKED).card.logits_layer
    if layer is None:
        raise ModelError(f"{folder}: its network gives no classes")
    return layer


def _logits(prepared: Prepared, samples: Samples, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Logits float32 ``(N, classes)`` of these samples, by the packed network."""
    size = prepared.network.batch_size
    layer = prepared.layers[0].name
    parts = (indices[start : start + size] for start in range(0, len(indices), size))
    values = activations(prepared.network, (one for part in parts for one in samples.pixels.take(part)))[layer]
    return values.reshape(len(indices), -1).astype(np.float32)


def _answers(samples: Samples, indices: NDArray[np.int64], card: RunCard, logits: NDArray[np.float32]) -> _Answers:
    sources, first = np.unique(samples.source_of[indices], return_index=True)
    place = np.searchsorted(sources, samples.source_of[indices])
    shares = probabilities(logits, groups=groups_of(card.classes, card.heads, multilabel=card.multilabel))
    mean = np.zeros((len(sources), len(card.classes)))
    np.add.at(mean, place, shares)
    mean /= np.bincount(place)[:, None]
    known = [samples.sources[n] for n in sources]
    groups = np.array([one.group or one.content_hash for one in known])
    return _Answers(samples, indices, shares, sources, mean, samples.targets()[indices][first], groups)


def _evaluation(common: Evaluation, card: RunCard, answers: _Answers) -> Evaluation:
    targets, mean = answers.targets, answers.of_file
    if card.multilabel:
        return replace(common, **judge_labels(targets, mean, answers.groups, card.classes))
    if not card.heads:
        return _single(common, answers)
    heads = {}
    for name, part in head_slices(card.classes, card.heads).items():
        known = np.flatnonzero(targets[:, part].any(axis=1))
        if len(known):
            classes = labels_in(card.classes[part], name)
            heads[name] = _single(replace(common, files=len(known), classes=classes), _of_head(answers, known, part))
    metrics = {f"{name}_{score}": value for name, one in heads.items() for score, value in one.metrics.items()}
    return replace(common, metrics=metrics, heads=heads)


def _of_head(answers: _Answers, known: NDArray[np.int64], part: slice) -> _Answers:
    """The files ``known``, which have a label there, and the classes of one head."""
    return replace(
        answers,
        probabilities=answers.probabilities[:, part],
        sources=answers.sources[known],
        of_file=answers.of_file[known, part],
        targets=answers.targets[known, part].argmax(axis=1),
        groups=answers.groups[known],
    )


def _single(common: Evaluation, answers: _Answers) -> Evaluation:
    """Of one class a file."""
    found = judge(answers.targets, answers.of_file, answers.groups, common.classes)
    wrong = surest_mistakes(answers.targets, answers.of_file).tolist()
    return replace(common, **found, mistakes=tuple(_mistake(answers, n, common.classes) for n in wrong))


def _mistake(answers: _Answers, file: int, classes: tuple[str, ...]) -> Mistake:
    """The file, and of its samples the one that speaks most for the wrong class."""
    predicted = int(answers.of_file[file].argmax())
    source = answers.sources[file]
    own = np.flatnonzero(answers.samples.source_of[answers.indices] == source)
    sample = answers.indices[own[answers.probabilities[own, predicted].argmax()]]
    clip = answers.samples.pixels.take(np.array([sample]))[0]
    starts_s = answers.samples.starts_s
    start_s = math.nan if starts_s is None else float(starts_s[sample])
    return Mistake(
        uri=answers.samples.sources[source].uri,
        label=classes[answers.targets[file]],
        predicted=classes[predicted],
        probability=float(answers.of_file[file, predicted]),
        at_s=None if math.isnan(start_s) else start_s,
        picture=clip[len(clip) // 2],
    )
