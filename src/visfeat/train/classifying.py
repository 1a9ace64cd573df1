"""Training a classifier: from labeled pixels to the run's files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from visfeat.class_groups import head_slices
from visfeat.train.augment import parse_augmentations
from visfeat.train.batches import Batches
from visfeat.train.build import Built, build, input_of
from visfeat.train.data.examples import SPLITS, Split
from visfeat.train.data.loading import load_samples
from visfeat.train.data.samples import Samples
from visfeat.train.known import freeze_all_but
from visfeat.train.loop import Fitted, Report, fit
from visfeat.train.metrics import classification, confusion_matrix, multilabel
from visfeat.train.module import Classifier
from visfeat.train.run_card import DataCard, RunCard
from visfeat.train.saving import save_model
from visfeat.train.settings import Settings

CACHE = "cache"
METRICS = "metrics.json"


def train_classifier(settings: Settings, folder: Path, *, report: Report, bar: bool) -> RunCard:
    """Learn, measure, save weights and packed model; the card is not yet written.

    Raises UsageError for data or options that cannot be used, ModelError, TrainingError, OutOfMemory.
    """
    spec = input_of(settings)
    changes = parse_augmentations(settings.augment)
    # Each of several devices has its own process, and that its own cache.
    scratch = folder / CACHE / os.environ.get("LOCAL_RANK", "0")
    samples = load_samples(settings, spec, scratch, report=report)
    samples.save(folder)
    report(_balance(samples))
    built = build(settings, spec, len(samples.classes))
    if settings.model != "cnn_lstm" and (settings.freeze or settings.unfreeze_last):
        freeze_all_but(built.module, built.head, last=settings.unfreeze_last)
    targets = samples.targets()
    train = Batches(
        samples.pixels,
        targets,
        samples.indices("train"),
        settings.batch_size,
        seed=settings.seed,
        changes=changes,
        threads=settings.threads,
    )
    steps = settings.epochs * len(train)
    heads = head_slices(samples.classes, settings.heads)
    module = Classifier(built.module, spec, settings, classes=len(samples.classes), steps=steps, heads=heads)
    val = _in_order(samples, targets, "val", settings)
    fitted = fit(module, train, val, settings, folder, report=report, bar=bar)
    return _finish(folder, settings, samples, built, module, fitted)


def _balance(samples: Samples) -> str:
    """Samples by split and class, in one line."""
    counts = samples.balance("train")
    sizes = ", ".join(f"{len(samples.indices(split)):,} {split}" for split in SPLITS)
    fewest, most = min(counts, key=lambda name: counts[name]), max(counts, key=lambda name: counts[name])
    return (
        f"{len(samples.classes)} classes; {sizes}; of a class from {counts[fewest]:,} ({fewest}) to "
        f"{counts[most]:,} ({most}) in training"
    )


def _in_order(samples: Samples, targets: NDArray[Any], split: Split, settings: Settings) -> Batches | None:
    indices = samples.indices(split)
    if not len(indices):
        return None
    return Batches(samples.pixels, targets, indices, settings.batch_size, threads=settings.threads)


def logits_of(module: Classifier, batches: Batches) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """The network's logits float32 ``(N, classes)`` and the targets ``(N, ...)`` of all samples, in eval mode."""
    module.eval()
    device = next(module.parameters()).device
    found: list[NDArray[np.float32]] = []
    targets: list[NDArray[Any]] = []
    with torch.inference_mode():
        for pixels, truth in batches:
            found.append(module(pixels.to(device)).float().cpu().numpy())
            targets.append(truth.numpy())
    return np.concatenate(found), np.concatenate(targets)


def _finish(
    folder: Path,
    settings: Settings,
    samples: Samples,
    built: Built,
    module: Classifier,
    fitted: Fitted,
) -> RunCard:
    """Take the best weights, measure, and write the run's files."""
    built.module.load_state_dict(fitted.weights)
    module.cpu().eval()
    metrics, details = _measure(settings, samples, module)
    name, heads, several = f"run/{folder.name}", settings.heads, settings.multilabel
    saved = save_model(folder, name, built, samples.classes, heads=heads, multilabel=several)
    (folder / METRICS).write_text(json.dumps(metrics | details, indent=1), "utf-8")
    return RunCard(
        name=folder.name,
        classes=samples.classes,
        multilabel=settings.multilabel,
        heads=settings.heads,
        architecture=settings.architecture,
        input=built.input,
        data=_data_card(settings, samples),
        metrics=metrics,
        training=fitted.facts(),
        versions=saved.versions,
        not_packed=saved.not_packed,
        sequence=saved.sequence,
        recipe=saved.recipe,
    )


def _measure(settings: Settings, samples: Samples, module: Classifier) -> tuple[dict[str, float], dict[str, Any]]:
    """Scores of the validation and test splits, and their confusion matrices."""
    metrics: dict[str, float] = {}
    details: dict[str, Any] = {"classes": list(samples.classes)}
    targets = samples.targets()
    for split in SPLITS[1:]:
        batches = _in_order(samples, targets, split, settings)
        if batches is None:
            continue
        logits, truth = logits_of(module, batches)
        if settings.multilabel:
            metrics |= {f"{split}_{name}": value for name, value in multilabel(truth, logits).items()}
            continue
        for head, (right, own) in _by_head(settings, samples, truth, logits).items():
            metrics |= {f"{split}_{head}{name}": value for name, value in classification(right, own).items()}
            matrix = confusion_matrix(right, own.argmax(axis=1), own.shape[1])
            details[f"{split}_{head}confusion"] = matrix.tolist()
    return metrics, details


def _by_head(
    settings: Settings, samples: Samples, truth: NDArray[Any], logits: NDArray[np.float32]
) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """What stands before the names of a head's scores -> its targets and logits, of the samples that have a label."""
    if not settings.heads:
        return {"": (truth, logits)}
    found = {}
    for head, part in head_slices(samples.classes, settings.heads).items():
        known = truth[:, part].any(axis=1)
        if known.any():
            found[f"{head}_"] = truth[known, part].argmax(axis=1), logits[known, part]
    return found


def _data_card(settings: Settings, samples: Samples) -> DataCard:
    splits = {split: len(samples.indices(split)) for split in SPLITS}
    return DataCard(
        sources=settings.data,
        digest=samples.digest,
        splits=splits,
        balance=samples.balance("train"),
        rejected=len(samples.rejected),
    )
