"""Training on sequences of stored features: an LSTM autoencoder, from a store to its run's files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visfeat.models.describe import seeded
from visfeat.models.runs import SEQUENCE, SOURCE, WEIGHTS
from visfeat.recipe import Recipe
from visfeat.train.batches import Batch, Batches
from visfeat.train.data.examples import SPLITS, Split
from visfeat.train.data.rows import Sequences, load_sequences
from visfeat.train.data.splits import REJECTED_FILE, SPLITS_FILE, save_rejected, save_splits
from visfeat.train.learner import Learner
from visfeat.train.loop import Fitted, Report, fit
from visfeat.train.models.lstm_autoencoder import LstmAutoencoder
from visfeat.train.run_card import DataCard, RunCard, SequenceCard
from visfeat.train.saving import save_tensors
from visfeat.train.settings import Settings

HIDDEN = 256
NOT_PACKED = "it reads stored features; extract with --model lstm:RUN"


class Reconstruction(Learner):
    """A network that learns to write down what it read: mean squared error on standardized rows."""

    monitor = ("val_loss", "min")

    def __init__(
        self, network: LstmAutoencoder, settings: Settings, *, mean: NDArray[Any], scale: float, steps: int
    ) -> None:
        """``mean`` ``(D,)`` and ``scale``: what the rows are reduced by."""
        super().__init__(network, settings, steps=steps)
        self.register_buffer("mean", torch.from_numpy(mean.astype(np.float32)), persistent=False)
        self.scale = scale

    def standardized(self, rows: Tensor) -> Tensor:
        """Rows ``(N, T, D)`` less their mean, by one scale for all values."""
        return (rows - self.get_buffer("mean")) / self.scale

    def batch_loss(self, batch: Batch) -> Tensor:
        """Mean squared error of the reconstruction."""
        rows = self.standardized(batch[0])
        return nn.functional.mse_loss(self.network(rows), rows)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002 (Lightning's)
        """The loss of a batch, gathered over the epoch."""
        self.log("val_loss", self.batch_loss(batch), batch_size=len(batch[0]), sync_dist=True)


def train_sequences(settings: Settings, folder: Path, *, report: Report, bar: bool) -> RunCard:
    """Learn, save the weights and the encoder as a sequence model; the card is not yet written.

    Raises UsageError as ``load_sequences`` does, TrainingError, OutOfMemory.
    """
    sequences = load_sequences(settings)
    save_splits(folder / SPLITS_FILE, [(one.uri, one.label, one.split, "") for one in sequences.sources])
    save_rejected(folder / REJECTED_FILE, sequences.rejected)
    report(_sizes(sequences))
    if sequences.network is None and sequences.recipe.model.startswith(SOURCE):
        report(f"the network of these rows, {sequences.recipe.model}, is not found: --model lstm:RUN will ask for it")
    with seeded(f"random:{settings.seed}"):
        network = LstmAutoencoder(
            sequences.features,
            hidden=settings.hidden or HIDDEN,
            layers=settings.lstm_layers or 1,
            conditioned=settings.conditioned,
        )
    train = _batches(sequences, "train", settings)
    assert train is not None
    mean, scale = _statistics(sequences)
    module = Reconstruction(network, settings, mean=mean, scale=scale, steps=settings.epochs * len(train))
    fitted = fit(module, train, _batches(sequences, "val", settings), settings, folder, report=report, bar=bar)
    network.load_state_dict(fitted.weights)
    module.cpu().eval()
    extra = {"rows.mean": torch.from_numpy(mean.astype(np.float32)), "rows.scale": torch.tensor(scale)}
    save_tensors(folder / WEIGHTS, network.state_dict() | extra)
    save_tensors(folder / SEQUENCE, encoder_of_raw_rows(network, mean, scale))
    return _card(settings, folder, sequences, network, module, fitted)


def encoder_of_raw_rows(network: LstmAutoencoder, mean: NDArray[Any], scale: float) -> dict[str, Tensor]:
    """The encoder's weights for rows as they are stored: ``W (x - mean) / scale + b = W' x + b'``."""
    tensors = {name: value.clone() for name, value in network.lstm.state_dict().items()}
    weight = tensors["weight_ih_l0"].double() / scale
    shift = weight @ torch.from_numpy(mean.astype(np.float64))
    tensors["weight_ih_l0"] = weight.float()
    tensors["bias_ih_l0"] = (tensors["bias_ih_l0"].double() - shift).float()
    return tensors


def reconstruction_errors(module: Reconstruction, batches: Batches) -> dict[str, float]:
    """Mean squared errors on standardized rows: of the network, and of three guesses that learn nothing.

    ``mse_of_mean``: the training rows' mean; ``mse_of_sequence_mean``: the sequence's own; ``mse_of_last_row``: its
    last row, all along.
    """
    sums = dict.fromkeys(("mse", "mse_of_mean", "mse_of_sequence_mean", "mse_of_last_row"), 0.0)
    values = 0
    with torch.inference_mode():
        for raw, _ in batches:
            rows = module.standardized(raw)
            guesses = (module.network(rows), torch.zeros_like(rows), rows.mean(dim=1, keepdim=True), rows[:, -1:])
            for name, guess in zip(sums, guesses, strict=True):
                sums[name] += float((rows - guess).double().square().sum())
            values += rows.numel()
    return {name: total / values for name, total in sums.items()}


def _statistics(sequences: Sequences) -> tuple[NDArray[np.float64], float]:
    """Mean ``(D,)`` of the training rows, and their root mean square around it over all values."""
    chosen = sequences.values.take(sequences.indices("train")).reshape(-1, sequences.features).astype(np.float64)
    mean = chosen.mean(axis=0)
    return mean, float(np.sqrt(np.square(chosen - mean).mean())) or 1.0


def _batches(sequences: Sequences, split: Split, settings: Settings) -> Batches | None:
    indices = sequences.indices(split)
    if not len(indices):
        return None
    nothing = np.zeros(len(sequences.values), np.int64)
    return Batches(
        sequences.values, nothing, indices, settings.batch_size, seed=settings.seed, threads=settings.threads
    )


def _sizes(sequences: Sequences) -> str:
    sizes = ", ".join(f"{len(sequences.indices(split)):,} {split}" for split in SPLITS)
    return f"sequences of {sequences.values.steps} rows of {len(sequences.sources):,} videos: {sizes}"


def _card(
    settings: Settings,
    folder: Path,
    sequences: Sequences,
    network: LstmAutoencoder,
    module: Reconstruction,
    fitted: Fitted,
) -> RunCard:
    metrics: dict[str, float] = {}
    for split in SPLITS[1:]:
        batches = _batches(sequences, split, settings)
        if batches is not None:
            metrics |= {f"{split}_{name}": value for name, value in reconstruction_errors(module, batches).items()}
    return RunCard(
        name=folder.name,
        architecture=settings.architecture,
        data=DataCard(
            sources=settings.data,
            digest=sequences.digest,
            splits={split: len(sequences.indices(split)) for split in SPLITS},
            balance={},
            rejected=len(sequences.rejected),
        ),
        metrics=metrics,
        training=fitted.facts(),
        not_packed=NOT_PACKED,
        sequence=SequenceCard(
            kind="lstm_autoencoder",
            features=sequences.features,
            hidden=network.lstm.hidden_size,
            layers=network.lstm.num_layers,
            bidirectional=False,
            pool="last",
            steps=sequences.values.steps,
        ),
        recipe=_recipe(sequences, folder).model_dump(mode="json", exclude_none=True),
    )


def _recipe(sequences: Sequences, folder: Path) -> Recipe:
    """The recipe of the rows; a network that is a file or a run by its path, from this run where both lie together."""
    if sequences.network is None:
        return sequences.recipe
    place, own = sequences.network.resolve(), folder.resolve()
    is_beside = own.parent in place.parents
    return sequences.recipe.but(model=os.path.relpath(place, own) if is_beside else str(place))
