"""``train``: settings in, a run folder out; the same again goes on where it was interrupted."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from visfeat.errors import UsageError, VisfeatError
from visfeat.models.runs import CARD, RUNS, SETTINGS
from visfeat.train.classifying import CACHE, train_classifier
from visfeat.train.loggers import check_loggers
from visfeat.train.loop import CHECKPOINTS, LOGS, accelerator_of
from visfeat.train.run_card import RunCard
from visfeat.train.sequences import train_sequences
from visfeat.train.settings import Settings

Report = Callable[[str], None]
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
    if os.environ.get("LOCAL_RANK", "0") != "0":
        # Lightning started this command again for a further device: one voice is enough.
        report, bar = (lambda _: None), False
    check_loggers(settings.logger)
    accelerator_of(settings)
    folder = _folder(settings, redo=redo)
    if (folder / CARD).is_file():
        return TrainedRun(folder, RunCard.load(folder), was_there=True)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    learn = train_sequences if settings.model == "lstm_autoencoder" else train_classifier
    _keep_settings(folder, settings)
    started = time.monotonic()
    try:
        card = learn(settings, folder, report=report, bar=bar)
    except VisfeatError:
        _forget(folder)
        raise
    seconds = card.training["seconds"] + time.monotonic() - started
    facts = {"seconds": round(seconds, 1), "settings": settings.digest}
    made_with = {name: version(name) for name in _VERSIONS} | {"python": platform.python_version()}
    card = card.model_copy(update={"training": card.training | facts, "versions": card.versions | made_with})
    shutil.rmtree(folder / CACHE, ignore_errors=True)
    card.save(folder)
    return TrainedRun(folder, card)


def _forget(folder: Path) -> None:
    """Where nothing was learned yet, leave nothing behind: the folder may be named again with better options."""
    if (folder / CHECKPOINTS).exists():
        return
    for name in (SETTINGS, "splits.csv", "rejected.csv"):
        (folder / name).unlink(missing_ok=True)
    for name in (CACHE, LOGS):
        shutil.rmtree(folder / name, ignore_errors=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def _keep_settings(folder: Path, settings: Settings) -> None:
    """Write ``train.toml``, the data by their absolute paths."""
    folder.mkdir(parents=True, exist_ok=True)
    absolute = tuple(str(Path(source).expanduser().absolute()) for source in settings.data)
    (folder / SETTINGS).write_text(settings.model_copy(update={"data": absolute}).to_toml(), "utf-8")


def _folder(settings: Settings, *, redo: bool) -> Path:
    """The run's folder; raises UsageError where it holds something else, or a run of other settings."""
    folder = Path(settings.out or Path(RUNS) / _name(settings)).expanduser()
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
