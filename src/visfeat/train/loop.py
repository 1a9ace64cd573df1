"""The loop, Lightning's: devices, precision, checkpoints, early stopping, logs; begun or gone on with."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint

from visfeat.errors import ModelError, OutOfMemory, UsageError
from visfeat.train.batches import Batches
from visfeat.train.learner import Learner
from visfeat.train.loggers import loggers
from visfeat.train.module import SCORE
from visfeat.train.settings import Settings

_DEVICES = "there are auto, cpu, cuda, cuda:N and mps"
CHECKPOINTS, LOGS = "checkpoints", "logs"
MOST_STEPS = 50
"""From one logged loss to the next."""
LAST, BEST = "last", "best"
_PRECISION = {"f32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
_LIBRARIES = ("pytorch_lightning", "lightning_fabric")
Report = Callable[[str], None]


@dataclass(frozen=True)
class Fitted:
    """What came of the loop."""

    weights: dict[str, torch.Tensor]
    """State dict of the network at the best validation, or at the end where nothing validates."""
    best_epoch: int
    epochs: int
    steps: int
    device: str
    earlier_s: float
    """Seconds that processes took from which this one went on."""

    def facts(self) -> dict[str, Any]:
        """What the run's card says of the training, ``seconds`` but for this process's own."""
        return {
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "steps": self.steps,
            "device": self.device,
            "seconds": self.earlier_s,
        }


def fit(
    module: Learner,
    train: Batches,
    val: Batches | None,
    settings: Settings,
    folder: Path,
    *,
    report: Report = lambda _: None,
    bar: bool = False,
) -> Fitted:
    """Train to the end, from the last checkpoint in the folder where there is one.

    Raises UsageError for a device that is not there, OutOfMemory, and TrainingError for a loss that is no number.
    """
    monitor = module.monitor if val is not None else None
    checkpoints = _checkpoints(settings, folder / CHECKPOINTS, monitor)
    callbacks = [*checkpoints, *_stopping(settings, monitor), _Lines(settings, report)]
    with _quiet(), _memory(settings):
        module.log_every_steps = max(1, min(MOST_STEPS, len(train)))
        trainer = _trainer(settings, folder, callbacks, log_every_steps=module.log_every_steps, bar=bar)
        train.rank, train.world = trainer.global_rank, trainer.world_size
        train.at_step(lambda: trainer.global_step)
        resumed = _resumed(folder / CHECKPOINTS)
        if resumed is not None:
            report(f"going on from {resumed.name}, step {_read(resumed)['global_step']}")
        trainer.fit(module, train, val, ckpt_path=resumed, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    if trainer.global_rank:
        # Lightning started this command again for each further device; the first one writes what was learned.
        raise SystemExit(0)
    best = checkpoints[-1].best_model_path if val is not None else None
    return Fitted(
        weights=read_network(Path(best)) if best else _network(module.state_dict()),
        best_epoch=_epoch_of(Path(best)) if best else trainer.current_epoch,
        epochs=trainer.current_epoch,
        steps=trainer.global_step,
        device=str(trainer.strategy.root_device),
        earlier_s=module.earlier_s,
    )


def _trainer(
    settings: Settings, folder: Path, callbacks: list[Callback], *, log_every_steps: int, bar: bool
) -> pl.Trainer:
    """Lightning's, as the settings say; raises UsageError as ``accelerator_of`` does."""
    accelerator, devices = accelerator_of(settings)
    # Deterministic functions are asked for below; that new memory is filled too would only cost time.
    deterministic: Any = torch.utils.deterministic
    deterministic.fill_uninitialized_memory = False
    return pl.Trainer(
        accelerator=accelerator,
        devices=devices,
        precision=_PRECISION[settings.precision],  # type: ignore[arg-type]
        max_epochs=settings.epochs,
        gradient_clip_val=settings.clip_norm,
        callbacks=callbacks,
        logger=loggers(settings, folder / LOGS),
        log_every_n_steps=log_every_steps,
        enable_progress_bar=bar,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        deterministic="warn" if accelerator == "gpu" else True,
        default_root_dir=folder,
    )


def read_network(path: Path) -> dict[str, torch.Tensor]:
    """The network's weights in a checkpoint, read as tensors and never as code; raises ModelError."""
    return _network(_read(path)["state_dict"])


def _read(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch's reader raises on half a file
        raise ModelError(f"{path}: not a readable checkpoint ({type(error).__name__})") from error
    return data


def _network(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    prefix = "network."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _epoch_of(path: Path) -> int:
    """Epochs that were complete, from a checkpoint's own word."""
    return int(_read(path)["epoch"]) + 1


def _resumed(folder: Path) -> Path | None:
    """The checkpoint to go on from: the last one, of those that can be read the newest."""
    found = sorted(folder.glob(f"{LAST}*.ckpt"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in found:
        try:
            _read(path)
        except ModelError:
            continue
        return path
    return None


def accelerator_of(settings: Settings) -> tuple[str, Any]:
    """Lightning's accelerator and devices; raises UsageError where there is no such GPU."""
    kind, _, index = settings.device.partition(":")
    if index and not (kind == "cuda" and index.isdecimal()):
        raise UsageError(f"--device {settings.device}: {_DEVICES}")
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "auto":
        kind = "cuda" if gpus else "cpu"
    if kind == "cpu":
        return "cpu", settings.devices
    if kind == "cuda":
        if gpus < max(settings.devices, int(index or 0) + 1):
            raise UsageError(f"--device {settings.device}: torch finds {gpus} GPUs here; use --device cpu")
        return "gpu", [int(index)] if index else settings.devices
    if kind == "mps":
        if not torch.backends.mps.is_available():
            raise UsageError("--device mps: torch finds no Metal device here; use --device cpu")
        return "mps", 1
    raise UsageError(f"--device {settings.device}: {_DEVICES}")


def _checkpoints(settings: Settings, folder: Path, monitor: tuple[str, str] | None) -> list[ModelCheckpoint]:
    """The last state, after each epoch and every so many steps; and the best validation, which stands last."""
    common: dict[str, Any] = {"dirpath": folder, "enable_version_counter": False}
    kept = [ModelCheckpoint(filename=LAST, save_top_k=1, save_on_train_epoch_end=True, **common)]
    if settings.checkpoint_steps is not None:
        name = f"{LAST}-step"
        kept.append(
            ModelCheckpoint(filename=name, save_top_k=1, every_n_train_steps=settings.checkpoint_steps, **common)
        )
    if monitor is not None:
        name, mode = monitor
        kept.append(ModelCheckpoint(filename=BEST, monitor=name, mode=mode, save_on_train_epoch_end=True, **common))
    return kept


def _stopping(settings: Settings, monitor: tuple[str, str] | None) -> list[Callback]:
    if settings.patience is None:
        return []
    if monitor is None:
        raise UsageError("--patience: nothing validates; say --val 0.1")
    name, mode = monitor
    return [EarlyStopping(name, mode=mode, patience=settings.patience, check_on_train_epoch_end=True)]


class _Lines(Callback):
    """A line at the end of each epoch."""

    def __init__(self, settings: Settings, report: Report) -> None:
        self._settings, self._report = settings, report

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        numbers = {name: float(trainer.callback_metrics[name]) for name in trainer.callback_metrics if name != SCORE}
        numbers["train_loss"] = cast(Learner, pl_module).mean_loss
        numbers.pop("train_loss_epoch", None)
        shown = ", ".join(f"{name} {value:.4f}" for name, value in sorted(numbers.items()))
        self._report(f"epoch {trainer.current_epoch + 1} of {self._settings.epochs}: {shown}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Within: Lightning's advertisements and hints stay away; its errors do not."""
    logs = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith(_LIBRARIES)]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


@contextmanager
def _memory(settings: Settings) -> Iterator[None]:
    """Within: a full GPU is an error that says what to do."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        size = max(1, settings.batch_size // 2)
        raise OutOfMemory(
            f"a batch of {settings.batch_size} does not fit the device's memory; say --batch-size {size}",
            batch_size=settings.batch_size,
        ) from error
