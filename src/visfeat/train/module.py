"""What one step of a training does: normalize, run the network, loss, optimizer and schedule."""

from __future__ import annotations

import math
from typing import Any, Self

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MultilabelAccuracy, MultilabelF1Score

from visfeat.card import InputSpec
from visfeat.errors import TrainingError
from visfeat.train.batches import Batch
from visfeat.train.settings import Settings

TOP = 5
MOMENTUM = 0.9
_STEP_SEED = 1_000_003


class Normalized(nn.Module):
    """Pixels uint8 ``(B, T, H, W, 3)`` -> what a network takes: float ``(B, 3, H, W)``, clips ``(B, 3, T, H, W)``."""

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self._clips = spec.clip_frames > 1
        self.register_buffer("mean", 255.0 * torch.tensor(spec.mean), persistent=False)
        self.register_buffer("std", 255.0 * torch.tensor(spec.std), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """``(pixel / 255 - mean) / std``, channels first."""
        values = (pixels.float() - self.get_buffer("mean")) / self.get_buffer("std")
        return values.permute(0, 4, 1, 2, 3) if self._clips else values[:, 0].permute(0, 3, 1, 2)


class Classifier(pl.LightningModule):
    """A network that learns to name classes: cross-entropy, or binary cross-entropy for several labels at once."""

    def __init__(self, network: nn.Module, spec: InputSpec, settings: Settings, *, classes: int, steps: int) -> None:
        """``steps``: how many the whole training has."""
        super().__init__()
        self.network, self.normalized = network, Normalized(spec)
        self._settings, self._steps = settings, steps
        self._monitored = scores(classes, multilabel=settings.multilabel)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels uint8 ``(B, T, H, W, 3)`` -> logits ``(B, classes)``."""
        return self.network(self.normalized(pixels))  # type: ignore[no-any-return]

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean over the batch."""
        if self._settings.multilabel:
            return nn.functional.binary_cross_entropy_with_logits(logits, targets)
        return nn.functional.cross_entropy(logits, targets, label_smoothing=self._settings.label_smoothing)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002 (Lightning's)
        """Dropout draws by seed and step, so that it draws the same after an interruption."""
        torch.manual_seed(self._settings.seed * _STEP_SEED + self.global_step)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002 (Lightning's)
        """The loss of a batch; raises TrainingError where it is no number."""
        pixels, targets = batch
        loss = self.loss(self(pixels), targets)
        if not math.isfinite(loss.item()):
            raise TrainingError(
                f"the loss is {loss.item()} at step {self.global_step} (epoch {self.current_epoch + 1}); what was "
                "learned up to the last checkpoint is kept; try a lower --lr, or --clip-norm 1"
            )
        self.log("train_loss", loss, on_step=True, on_epoch=False)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002 (Lightning's)
        """Loss and scores of a batch, gathered over the epoch."""
        pixels, targets = batch
        logits = self(pixels)
        self.log("val_loss", self.loss(logits, targets), batch_size=len(pixels), sync_dist=True)
        self._monitored(logits, targets.int() if self._settings.multilabel else targets)
        self.log_dict(self._monitored, batch_size=len(pixels))

    def configure_optimizers(self) -> Any:
        """The optimizer over what is not frozen, and the learning rate of each step."""
        optimizer = _optimizer(self._settings, [value for value in self.parameters() if value.requires_grad])
        schedule = _schedule(self._settings, optimizer, self._steps)
        if schedule is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def train(self, mode: bool = True) -> Self:
        """Training mode, but for frozen layers: their batch norms keep what they know."""
        super().train(mode)
        for part in self.network.modules() if mode else ():
            own = list(part.parameters(recurse=False))
            if own and not any(value.requires_grad for value in own):
                part.eval()
        return self


def scores(classes: int, *, multilabel: bool) -> MetricCollection:
    """What is watched during the training, under its names in the logs."""
    chosen: dict[str, Metric]
    if multilabel:
        chosen = {"val_accuracy": MultilabelAccuracy(classes), "val_f1": MultilabelF1Score(classes)}
    else:
        chosen = {"val_top1": MulticlassAccuracy(classes, average="micro")}
        if classes > TOP:
            chosen["val_top5"] = MulticlassAccuracy(classes, average="micro", top_k=TOP)
    return MetricCollection(dict(chosen))


def _optimizer(settings: Settings, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, settings.lr, momentum=MOMENTUM, nesterov=True, weight_decay=settings.weight_decay
        )
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, settings.lr)
    return torch.optim.AdamW(parameters, settings.lr, weight_decay=settings.weight_decay)


def _schedule(settings: Settings, optimizer: torch.optim.Optimizer, steps: int) -> Any:
    """The learning rate over the steps: up and down in one cycle (Smith 2018), down by a cosine, or constant."""
    if settings.schedule == "onecycle":
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=settings.lr, total_steps=steps + 1)
    if settings.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    return None
