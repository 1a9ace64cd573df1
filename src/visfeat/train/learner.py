"""What every training does at each step: a seed of its own, a loss that is a number, optimizer and schedule."""

from __future__ import annotations

import math
import time
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from visfeat.errors import TrainingError
from visfeat.train.batches import Batch
from visfeat.train.settings import Settings

MOMENTUM, DECAY = 0.9, 0.01
_STEP_SEED = 1_000_003
_MOST_DEVICES = 4096
_SECONDS = "visfeat_seconds"


class Learner(pl.LightningModule):
    """A network on its way; subclasses say what its loss is and what is watched."""

    monitor: tuple[str, str]
    """The number whose best epoch is kept, and whether that is its "max" or "min"."""
    log_every_steps: int = 1
    """How often the loss of a step is logged."""
    earlier_s: float
    """Seconds that this run was trained by processes before this one."""

    def __init__(self, network: nn.Module, settings: Settings, *, steps: int) -> None:
        """``steps``: how many the whole training has."""
        super().__init__()
        self.network = network
        self._settings, self._steps = settings, steps
        self._losses: list[float] = []
        self._started = time.monotonic()
        self.earlier_s = 0.0

    def batch_loss(self, batch: Batch) -> Tensor:
        """The mean loss over a batch."""
        raise NotImplementedError

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002 (Lightning's)
        """Dropout draws by seed and step, so that it draws the same after an interruption."""
        seed = (self._settings.seed * _STEP_SEED + self.global_step) * _MOST_DEVICES + self.global_rank
        # torch.manual_seed would also keep a call, with its stack, for each kind of device that is not in use.
        torch.default_generator.manual_seed(seed)
        if self.device.type != "cpu":
            torch.get_device_module(self.device).manual_seed(seed)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002 (Lightning's)
        """The loss of a batch; raises TrainingError where it is no number."""
        loss = self.batch_loss(batch)
        value = loss.item()
        if not math.isfinite(value):
            raise self._stray(f"the loss is {value}")
        self._losses.append(value)
        # Lightning's bookkeeping of a logged number can cost more than a small network's step.
        if (self.global_step + 1) % self.log_every_steps == 0:
            self.log("train_loss", value, on_step=True, on_epoch=False)
        return loss

    def on_train_epoch_start(self) -> None:
        """Each epoch has losses of its own."""
        self._losses = []

    @property
    def mean_loss(self) -> float:
        """Of the epoch's steps, those that this process took."""
        return math.fsum(self._losses) / max(1, len(self._losses))

    def on_train_epoch_end(self) -> None:
        """Before the checkpoint is written: check the weights, log what the epoch came to."""
        self.check_weights()
        self.log("train_loss_epoch", self.mean_loss, sync_dist=True)
        self.score_epoch()

    def check_weights(self) -> None:
        """Raise TrainingError where the last step spoiled the weights."""
        for name, value in self.network.named_parameters():
            if not bool(torch.isfinite(value).all()):
                raise self._stray(f"{name} is not finite")

    def score_epoch(self) -> None:
        """Log what the best epoch is chosen by, where the validation does not log it already."""

    def on_fit_start(self) -> None:
        """The clock of this process starts."""
        self._started = time.monotonic()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A run that goes on knows how long it has taken so far."""
        checkpoint[_SECONDS] = self.earlier_s + time.monotonic() - self._started

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What earlier processes took."""
        self.earlier_s = float(checkpoint.get(_SECONDS, 0.0))

    def _stray(self, what: str) -> TrainingError:
        return TrainingError(
            f"{what} at step {self.global_step} (epoch {self.current_epoch + 1}); what was learned up to the last "
            "checkpoint is kept; try a lower --lr or --clip-norm 1, with --redo"
        )

    def configure_optimizers(self) -> Any:
        """The optimizer over what is not frozen, and the learning rate of each step."""
        optimizer = _optimizer(self._settings, [value for value in self.parameters() if value.requires_grad])
        schedule = _schedule(self._settings, optimizer, self._steps)
        if schedule is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _optimizer(settings: Settings, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    usual = DECAY if settings.optimizer == "adamw" else 0.0
    decay = usual if settings.weight_decay is None else settings.weight_decay
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, settings.lr, momentum=MOMENTUM, nesterov=True, weight_decay=decay)
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, settings.lr, weight_decay=decay)
    return torch.optim.AdamW(parameters, settings.lr, weight_decay=decay)


def _schedule(settings: Settings, optimizer: torch.optim.Optimizer, steps: int) -> Any:
    """The learning rate over the steps: up and down in one cycle (Smith 2018), down by a cosine, or constant."""
    if settings.schedule == "onecycle":
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=settings.lr, total_steps=steps + 1)
    if settings.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    return None
