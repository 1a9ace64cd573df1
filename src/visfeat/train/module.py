"""A classifier at each step of its training: pixels are normalized, run through the network, and scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MultilabelAccuracy, MultilabelF1Score

from visfeat.card import InputSpec
from visfeat.train.batches import Batch
from visfeat.train.learner import Learner
from visfeat.train.settings import Settings

TOP = 5
SCORE = "val_score"
_TIE = 1e-4
"""What the loss can add: less than one right answer in ten thousand."""


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


class Classifier(Learner):
    """A network that learns to name classes: cross-entropy, or binary cross-entropy for several labels at once."""

    def __init__(
        self,
        network: nn.Module,
        spec: InputSpec,
        settings: Settings,
        *,
        classes: int,
        steps: int,
        heads: Mapping[str, slice] | None = None,
    ) -> None:
        """``steps``: how many the whole training has; ``heads``: which logits belong to which column of labels."""
        super().__init__(network, settings, steps=steps)
        self._heads = dict(heads or {})
        self.normalized = Normalized(spec)
        self.monitor = (SCORE, "max")
        self._watched = "val_f1" if settings.multilabel else "val_top1"
        self._monitored = head_scores(self._heads) if self._heads else scores(classes, multilabel=settings.multilabel)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels uint8 ``(B, T, H, W, 3)`` -> logits ``(B, classes)``."""
        return self.network(self.normalized(pixels))  # type: ignore[no-any-return]

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean over the batch."""
        if self._heads:
            return torch.stack(
                [self._head_loss(logits[:, one], targets[:, one]) for one in self._heads.values()]
            ).mean()
        if self._settings.multilabel:
            return nn.functional.binary_cross_entropy_with_logits(logits, targets)
        return nn.functional.cross_entropy(logits, targets, label_smoothing=self._settings.label_smoothing)

    def _head_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy over the samples that have a label here; 0 where none has."""
        known = targets.sum(dim=1) > 0
        if not bool(known.any()):
            return logits.sum() * 0
        right = targets[known].argmax(dim=1)
        return nn.functional.cross_entropy(logits[known], right, label_smoothing=self._settings.label_smoothing)

    def batch_loss(self, batch: Batch) -> Tensor:
        """Of pixels and targets."""
        pixels, targets = batch
        return self.loss(self(pixels), targets)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002 (Lightning's)
        """Loss and scores of a batch, gathered over the epoch."""
        pixels, targets = batch
        logits = self(pixels)
        self.log("val_loss", self.loss(logits, targets), batch_size=len(pixels), sync_dist=True)
        self._monitored(logits, targets.int() if self._settings.multilabel else targets)
        self.log_dict(self._monitored, batch_size=len(pixels))

    def score_epoch(self) -> None:
        """Of epochs that validate equally well the one of lower loss is better."""
        found = self.trainer.callback_metrics
        if self._watched in found:
            self.log(SCORE, float(found[self._watched]) + _TIE / (1 + float(found["val_loss"])))

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


def head_scores(heads: Mapping[str, slice]) -> MetricCollection:
    """Top-1 of each head, and their mean, which is what counts."""
    each: dict[str, Metric] = {f"val_top1_{name}": HeadAccuracy([one]) for name, one in heads.items()}
    return MetricCollection(dict({"val_top1": HeadAccuracy(list(heads.values()))}, **each))


class HeadAccuracy(Metric):
    """The mean over some heads of the share of labels that are right, of the samples that have one there."""

    right: Tensor
    seen: Tensor

    def __init__(self, heads: Sequence[slice]) -> None:
        super().__init__()
        self._parts = list(heads)
        for name in ("right", "seen"):
            self.add_state(name, torch.zeros(len(self._parts)), dist_reduce_fx="sum")

    def update(self, logits: Tensor, targets: Tensor) -> None:
        """Logits and targets of 0 and 1, ``(B, classes)``."""
        for n, part in enumerate(self._parts):
            known = targets[:, part].sum(dim=1) > 0
            same = logits[:, part].argmax(dim=1) == targets[:, part].argmax(dim=1)
            self.right[n] += (same & known).sum()
            self.seen[n] += known.sum()

    def compute(self) -> Tensor:
        """From 0 to 1; heads of which nothing was seen do not count."""
        seen = self.seen > 0
        return (self.right[seen] / self.seen[seen]).mean()
