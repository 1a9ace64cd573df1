"""``evaluate``: how well a run's packed model does on labeled data; without torch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visfeat.class_groups import head_slices, labels_in
from visfeat.engine.activations import activations
from visfeat.engine.prepare import Prepared, prepare
from visfeat.errors import ModelError, UsageError
from visfeat.models.packed import PackedModel
from visfeat.models.runs import PACKED, SETTINGS, run_folder
from visfeat.recipe import Recipe
from visfeat.train.answers import Answers, answers_of
from visfeat.train.data.examples import Split
from visfeat.train.data.known_split import KnownSplit, known_split
from visfeat.train.data.loading import load_samples, load_split
from visfeat.train.data.samples import Samples
from visfeat.train.evaluation import Evaluation
from visfeat.train.judging import judge, judge_labels, surest_mistakes, surest_wrong_labels
from visfeat.train.run_card import RunCard
from visfeat.train.settings import Settings

Report = Callable[[str], None]


def evaluate(run: str, data: tuple[str, ...] = (), *, report: Report = lambda _: None) -> Evaluation:
    """Measure a run on its own test split (its validation split where it has none), or on all of other data.

    Its own split are the files that the run set aside when it was trained: what the data gained since is ignored, what
    is gone is counted. Raises UnknownModel, ModelError, and UsageError for data with classes that the run knows not.
    """
    folder = run_folder(run)
    card = RunCard.load(folder)
    if card.input is None or card.not_packed is not None:
        raise ModelError(f"{run}: has no packed network to evaluate ({card.not_packed or 'it reads stored features'})")
    settings, known, split = Settings.from_toml(folder / SETTINGS), KnownSplit(()), "all"
    if data:
        settings = settings.model_copy(update={"data": data, "val": 0.0, "test": 0.0})
    else:
        split = measured_split(run, card)
        known = known_split(folder, split, settings.data)
        _say(run, split, known, report)
    layer = _logits_layer(folder)
    scratch = folder / f".evaluate-{os.getpid()}"
    try:
        if data:
            samples = load_samples(settings, card.input, scratch, report=report, check=False)
            _say_learned(folder, samples, report)
        else:
            samples = load_split(known, settings, card.input, scratch, report=report)
        _check_classes(run, card, samples)
        common = Evaluation(
            run=run,
            data=settings.data,
            split=split,
            classes=card.classes,
            rejected=samples.rejected,
            gone=known.gone,
            ignored=known.added,
        )
        prepared = prepare(Recipe(model=str(folder), layers=(layer,)))
        return evaluation_of(common, card, answers_of(card, samples, _logits(prepared, samples)))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def measured_split(run: str, card: RunCard) -> Split:
    """The split that tells how good a run is: test, else val; raises UsageError where it has neither."""
    splits: tuple[Split, ...] = ("test", "val")
    for split in splits:
        if card.data.splits.get(split):
            return split
    raise UsageError(f"{run}: has no split that it was not trained on; name labeled data to evaluate it on")


def evaluation_of(common: Evaluation, card: RunCard, answers: Answers) -> Evaluation:
    """The evaluation, from what is said of it already and the network's answers."""
    common = replace(common, files=len(answers.sources), samples=len(answers.probabilities))
    targets, mean = answers.targets, answers.of_file
    if card.multilabel:
        wrong = surest_wrong_labels(targets, mean).tolist()
        mistakes = tuple(answers.wrong_label(file, label, card.classes) for file, label in wrong)
        return replace(common, **judge_labels(targets, mean, answers.groups, card.classes), mistakes=mistakes)
    if not card.heads:
        return _single(common, answers)
    heads = {}
    for name, part in head_slices(card.classes, card.heads).items():
        known = np.flatnonzero(targets[:, part].any(axis=1))
        if len(known):
            classes = labels_in(card.classes[part], name)
            heads[name] = _single(replace(common, files=len(known), classes=classes), answers.of_head(known, part))
    metrics = {f"{name}_{score}": value for name, one in heads.items() for score, value in one.metrics.items()}
    return replace(common, metrics=metrics, heads=heads)


def _single(common: Evaluation, answers: Answers) -> Evaluation:
    """Of one class a file."""
    found = judge(answers.targets, answers.of_file, answers.groups, common.classes)
    wrong = surest_mistakes(answers.targets, answers.of_file).tolist()
    return replace(common, **found, mistakes=tuple(answers.wrong_class(n, common.classes) for n in wrong))


def _say(run: str, split: Split, known: KnownSplit, report: Report) -> None:
    """What became of the split since the training; raises UsageError where nothing is left of it."""
    if not known.examples:
        raise UsageError(f"{run}: none of the files of its {split} split is there any more; name the data where it is")
    if known.gone:
        total = len(known.gone) + len(known.examples)
        report(f"{len(known.gone):,} of {total:,} files of the {split} split are gone, the first: {known.gone[0]}")
    if known.added:
        report(f"{known.added:,} files that the data have gained since the training are ignored")


def _say_learned(folder: Path, samples: Samples, report: Report) -> None:
    """Say how many files the run has learned from: the scores of these are no news."""
    learned = {example.uri for example in known_split(folder, "train", ()).examples}
    count = sum(source.uri in learned for source in samples.sources)
    if count:
        report(f"{count:,} of {len(samples.sources):,} files are among those that the run was trained on")


def _check_classes(run: str, card: RunCard, samples: Samples) -> None:
    unknown = sorted(set(samples.classes) - set(card.classes))
    if unknown:
        raise UsageError(
            f"{', '.join(unknown[:5])}: classes that {run} was not trained on ({', '.join(card.classes[:20])})"
        )


def _logits_layer(folder: Path) -> str:
    layer = PackedModel.load(folder / PACKED).card.logits_layer
    if layer is None:
        raise ModelError(f"{folder}: its network gives no classes")
    return layer


def _logits(prepared: Prepared, samples: Samples) -> NDArray[np.float32]:
    """Logits float32 ``(N, classes)`` of the samples, by the packed network."""
    size, count = prepared.network.batch_size, len(samples.source_of)
    layer = prepared.layers[0].name
    parts = (np.arange(start, min(start + size, count)) for start in range(0, count, size))
    values = activations(prepared.network, (one for part in parts for one in samples.pixels.take(part)))[layer]
    return values.reshape(count, -1).astype(np.float32)
