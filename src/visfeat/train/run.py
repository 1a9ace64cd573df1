"""``train``: settings in, a run folder out; the same again goes on where it was interrupted."""

from __future__ import annotations

import json
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from visfeat.errors import UsageError
from visfeat.models.runs import CARD, SETTINGS
from visfeat.train.augment import parse_augmentations
from visfeat.train.batches import Batches
from visfeat.train.build import Built, build, input_of
from visfeat.train.data.loading import load_samples
from visfeat.train.data.samples import Samples
from visfeat.train.known import freeze_all_but
from visfeat.train.loop import CHECKPOINTS, LOGS, Fitted, fit
from visfeat.train.metrics import classification, confusion_matrix, multilabel
from visfeat.train.module import Classifier
from visfeat.train.run_card import DataCard, RunCard
from visfeat.train.saving import save_model
from visfeat.train.settings import Settings

Report = Callable[[str], None]
CACHE = "cache"
METRICS = "metrics.json"
_VERSIONS = ("visfeat", "torch", "torchvision", "pytorch-lightning", "numpy")


@dataclass(frozen=True)
class TrainedRun:
    """A finished run: its folder, its card, and whether it was there already."""

    folder: Path
    card: RunCard
    was_there: bool = False


def train(settings: Settings, *, redo: bool = False, report: Report = lambda _: None, bar: bool = False) -> TrainedRun:
    """Train as the settings say; ``redo`` throws away what the folder holds.

    A finished run of the same settings is returned as it is; an interrupted one goes on from its last checkpoint.
    Raises UsageError for data or options that cannot be used and for a folder of other settings; TrainingError for a
    loss that is no number; ModelError, MissingExtra, OutOfMemory.
    """
    folder = _folder(settings, redo=redo)
    if (folder / CARD).is_file():
        return TrainedRun(folder, RunCard.load(folder), was_there=True)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    spec = input_of(settings)
    changes = parse_augmentations(settings.augment)
    samples = load_samples(settings, spec, folder / CACHE, report=report)
    folder.mkdir(parents=True, exist_ok=True)
    absolute = tuple(str(Path(source).expanduser().absolute()) for source in settings.data)
    (folder / SETTINGS).write_text(settings.model_copy(update={"data": absolute}).to_toml(), "utf-8")
    samples.save(folder)
    report(_balance(samples))
    built = build(settings, spec, len(samples.classes))
    if settings.model != "cnn_lstm" and (settings.freeze or settings.unfreeze_last):
        freeze_all_but(built.module, built.head, last=settings.unfreeze_last)
    targets = samples.targets()
    batches = Batches(
        samples.pixels,
        targets,
        samples.indices("train"),
        settings.batch_size,
        seed=settings.seed,
        changes=changes,
        threads=settings.threads,
    )
    val = _in_order(samples, targets, "val", settings)
    module = Classifier(
        built.module, spec, settings, classes=len(samples.classes), steps=settings.epochs * len(batches)
    )
    started = time.monotonic()
    fitted = fit(module, batches, val, settings, folder, report=report, bar=bar)
    seconds = time.monotonic() - started
    return _finish(folder, settings, samples, built, module, fitted, seconds)


def _folder(settings: Settings, *, redo: bool) -> Path:
    """The run's folder; raises UsageError where it holds something else, or a run of other settings."""
    folder = Path(settings.out or Path("runs") / _name(settings)).expanduser()
    known = folder / SETTINGS
    if known.is_file():
        if redo:
            for name in (CARD, CHECKPOINTS, LOGS, CACHE):
                path = folder / name
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            return folder
        before = Settings.from_toml(known)
        same = settings.model_copy(update={"data": before.data}) if _same_data(settings, before) else settings
        if same.digest != before.digest:
            options = ", ".join(before.differing(same))
            raise UsageError(
                f"{folder}: holds a run of other settings ({options}); name another --out, or --redo to replace it"
            )
    elif folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder}: is not empty and no run of visfeat train; name another --out")
    elif folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; --out names a folder")
    return folder


def _same_data(settings: Settings, before: Settings) -> bool:
    def places(one: Settings) -> list[Path]:
        return [Path(source).expanduser().resolve() for source in one.data]

    return places(settings) == places(before)


def _name(settings: Settings) -> str:
    """A name from data and model: ``photos-cnn``."""
    data = Path(settings.data[0]).expanduser().resolve().stem if settings.data else "run"
    return f"{data}-{settings.model.rpartition('/')[2]}"


def _balance(samples: Samples) -> str:
    """Samples by split and class, in one line."""
    counts = samples.balance("train")
    sizes = ", ".join(f"{len(samples.indices(split)):,} {split}" for split in ("train", "val", "test"))
    fewest, most = min(counts, key=lambda name: counts[name]), max(counts, key=lambda name: counts[name])
    return (
        f"{len(samples.classes)} classes; {sizes}; of a class from {counts[fewest]:,} ({fewest}) to "
        f"{counts[most]:,} ({most}) in training"
    )


def _in_order(samples: Samples, targets: NDArray[Any], split: Any, settings: Settings) -> Batches | None:
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
    seconds: float,
) -> TrainedRun:
    """Take the best weights, measure, and write the run's files; model.toml comes last."""
    built.module.load_state_dict(fitted.weights)
    module.cpu().eval()
    metrics, details = _measure(settings, samples, module)
    saved = save_model(folder, f"run/{folder.name}", built, samples.classes)
    (folder / METRICS).write_text(json.dumps(metrics | details, indent=1), "utf-8")
    card = RunCard(
        name=folder.name,
        classes=samples.classes,
        multilabel=settings.multilabel,
        architecture=settings.architecture,
        input=built.input,
        data=_data_card(settings, samples),
        metrics=metrics,
        training={
            "epochs": fitted.epochs,
            "best_epoch": fitted.best_epoch,
            "steps": fitted.steps,
            "seconds": round(seconds, 1),
            "device": fitted.device,
            "settings": settings.digest,
        },
        versions=saved.versions | {name: version(name) for name in _VERSIONS} | {"python": platform.python_version()},
        not_packed=saved.not_packed,
        sequence=saved.sequence,
        recipe=saved.recipe,
    )
    shutil.rmtree(folder / CACHE, ignore_errors=True)
    card.save(folder)
    return TrainedRun(folder, card)


def _measure(settings: Settings, samples: Samples, module: Classifier) -> tuple[dict[str, float], dict[str, Any]]:
    """Scores of the validation and test splits, and their confusion matrices."""
    metrics: dict[str, float] = {}
    details: dict[str, Any] = {"classes": list(samples.classes)}
    targets = samples.targets()
    for split in ("val", "test"):
        batches = _in_order(samples, targets, split, settings)
        if batches is None:
            continue
        logits, truth = logits_of(module, batches)
        scores = multilabel(truth, logits) if settings.multilabel else classification(truth, logits)
        metrics |= {f"{split}_{name}": value for name, value in scores.items()}
        if not settings.multilabel:
            matrix = confusion_matrix(truth, logits.argmax(axis=1), len(samples.classes))
            details[f"{split}_confusion"] = matrix.tolist()
    return metrics, details


def _data_card(settings: Settings, samples: Samples) -> DataCard:
    splits = {split: len(samples.indices(split)) for split in ("train", "val", "test")}
    return DataCard(
        sources=settings.data,
        digest=samples.digest,
        splits=splits,
        balance=samples.balance("train"),
        rejected=len(samples.rejected),
    )
