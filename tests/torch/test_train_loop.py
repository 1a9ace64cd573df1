"""What the loop keeps, and what the optimizers are told."""

from __future__ import annotations

import csv

import pytest
import torch

from train_made import digit_pictures
from visfeat.card import InputSpec
from visfeat.train.models.cnn import Cnn
from visfeat.train.module import Classifier
from visfeat.train.run import train
from visfeat.train.settings import Settings

SPEC = InputSpec(size_px=(28, 28), resize_px=28, mean=(0.5,) * 3, std=(0.5,) * 3)


def epochs_of(run) -> list[tuple[float, float]]:
    """val_top1 and val_loss of each epoch, as the log has them."""
    (path,) = (run.folder / "logs").glob("csv/*/metrics.csv")
    rows = csv.DictReader(path.read_text("utf-8").splitlines())
    return [(float(row["val_top1"]), float(row["val_loss"])) for row in rows if row.get("val_top1")]


def test_of_epochs_that_validate_equally_the_one_of_lower_loss_is_kept(tmp_path):
    data = digit_pictures(tmp_path / "data", each=40, classes=2)
    run = train(
        Settings.from_options(
            data=(str(data),), out=str(tmp_path / "run"), epochs=8, batch_size=16, size=8, val=0.2, schedule="constant"
        )
    )
    seen = epochs_of(run)
    best = max(top1 for top1, _ in seen)
    equal = [n for n, (top1, _) in enumerate(seen, start=1) if top1 == best]
    assert len(equal) > 1, "nothing to choose from"
    losses = {n: seen[n - 1][1] for n in equal}
    assert losses[run.card.training["best_epoch"]] == pytest.approx(min(losses.values()), abs=1e-3)
    assert run.card.training["best_epoch"] > equal[0]


@pytest.mark.parametrize(
    ("optimizer", "said", "kind", "decay"),
    [
        ("adamw", None, torch.optim.AdamW, 0.01),
        ("adam", None, torch.optim.Adam, 0.0),
        ("adam", 0.1, torch.optim.Adam, 0.1),
        ("sgd", None, torch.optim.SGD, 0.0),
        ("sgd", 0.1, torch.optim.SGD, 0.1),
    ],
)
def test_weight_decay_is_the_optimizers_usual_or_what_is_said(optimizer, said, kind, decay):
    settings = Settings.from_options(optimizer=optimizer, weight_decay=said, schedule="constant")
    made = Classifier(Cnn(3), SPEC, settings, classes=3, steps=10).configure_optimizers()
    assert type(made) is kind
    assert {group["weight_decay"] for group in made.param_groups} == {decay}
