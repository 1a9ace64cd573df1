"""An LSTM autoencoder on stored rows of videos: whether it remembers what happened, and in which order.

    python -m benchmarks.why_time FOLDER            # makes the videos and the network of frames
    python -m benchmarks.lstm_autoencoder FOLDER [--json FILE]

The rows are those of the frames' network inside ``runs/cnn_lstm``, which has seen labels; the autoencoder (Srivastava
et al. 2015) gets sequences of 16 rows without any. Measured on the test videos, whose textures neither has seen:

    reconstruction   mean squared error beside three guesses: the training rows' mean, the sequence's own mean, and its
                     last row all along
    retrieval        every video asks for those of its class, by the cosine of standardized vectors: mean average
                     precision of the autoencoder's vector beside the mean of the rows
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

import visfeat as vf
from benchmarks.machine import describe_machine, warn_if_busy
from benchmarks.motion_videos import CLASSES, FRAMES
from visfeat.models.lstm import read_run
from visfeat.train.metrics import Interval, bootstrap
from visfeat.train.models.lstm_autoencoder import LstmAutoencoder
from visfeat.train.run import train
from visfeat.train.sequences import Reconstruction, reconstruction_errors
from visfeat.train.settings import Settings

SETTINGS: dict[str, object] = {
    "model": "lstm_autoencoder", "clip": FRAMES, "hidden": 128, "epochs": 16, "lr": 0.004, "batch_size": 32,
    "clip_norm": 1.0, "logger": ("csv",),
}  # fmt: skip

Vectors = NDArray[np.float32]


def learn(folder: Path) -> Path:
    """Rows of the training videos into a store, the autoencoder on them; the run's folder."""
    recipe = read_run(str(folder / "runs" / "cnn_lstm")).recipe
    vf.extract(folder / "videos" / "train", store=folder / "rows_train.vf", recipe=recipe)
    settings = Settings.from_options(
        data=(str(folder / "rows_train.vf"),), out=str(folder / "runs" / "autoencoder"), **SETTINGS
    )
    return train(settings, report=lambda line: print(line, file=sys.stderr)).folder


def test_vectors(folder: Path, run: Path) -> tuple[Vectors, Vectors, NDArray[np.int64]]:
    """Of the test videos the rows ``(N, 16, D)``, the autoencoder's vectors ``(N, H)`` and the classes ``(N,)``."""
    recipe = read_run(str(folder / "runs" / "cnn_lstm")).recipe.but(temporal="lstm", temporal_model=str(run))
    vf.extract(folder / "videos" / "test", store=folder / "rows_test.vf", recipe=recipe)
    store = vf.open_store(folder / "rows_test.vf")
    by_kind = {stored.recipe.temporal: stored.digest for stored in store.recipes()}
    rows, _ = store.features(recipe=by_kind[None])
    vectors, table = store.features(recipe=by_kind["lstm"])
    classes = [CLASSES.index(Path(uri).parts[-2]) for uri in table["uri"].to_pylist()]
    return rows.reshape(len(vectors), FRAMES, -1), vectors, np.array(classes)


def reconstruction(run: Path, rows: Vectors) -> dict[str, float]:
    """Mean squared errors on standardized rows, of the network and of the guesses."""
    weights = load_file(run / "model.safetensors")
    mean, scale = weights.pop("rows.mean").numpy(), float(weights.pop("rows.scale"))
    network = LstmAutoencoder(rows.shape[2], hidden=weights["fc.weight"].shape[1])
    network.load_state_dict(weights)
    module = Reconstruction(network, Settings(), mean=mean, scale=scale, steps=1).eval()
    batch = torch.from_numpy(rows), torch.zeros(len(rows), dtype=torch.long)
    return reconstruction_errors(module, [batch])  # type: ignore[arg-type]


def average_precisions(vectors: Vectors, classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each video as a query: ``mean over its k right ones of k / rank of the k-th``, itself left out."""
    standard = (vectors - vectors.mean(axis=0)) / np.maximum(vectors.std(axis=0), 1e-6)
    unit = standard / np.linalg.norm(standard, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :-1]
    right = classes[order] == classes[:, None]
    precision = right.cumsum(axis=1) / np.arange(1, right.shape[1] + 1)
    return np.asarray((precision * right).sum(axis=1) / right.sum(axis=1))


def mean_with_interval(values: NDArray[np.float64]) -> Interval:
    """Over the queries."""
    return bootstrap(np.arange(len(values)), lambda chosen: float(values[chosen].mean()))


def main() -> int:
    """Learn, measure and print; exit status 1 where the autoencoder loses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder of benchmarks.why_time")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warn_if_busy()
    run = learn(options.folder)
    rows, vectors, classes = test_vectors(options.folder, run)
    errors = reconstruction(run, rows)
    kinds = {"autoencoder": vectors, "mean of the rows": rows.mean(axis=1), "last row": rows[:, -1]}
    precisions = {name: average_precisions(values, classes) for name, values in kinds.items()}
    found = {name: mean_with_interval(values) for name, values in precisions.items()}
    gain = mean_with_interval(precisions["autoencoder"] - precisions["mean of the rows"])
    print(f"{len(rows)} test videos; mean squared error: " + ", ".join(f"{n} {v:.3f}" for n, v in errors.items()))
    for name, one in (found | {"gain over the mean": gain}).items():
        print(f"mAP {name:20} {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]")
    if options.json:
        precision = {name: asdict(one) for name, one in (found | {"gain": gain}).items()}
        result = {"machine": describe_machine(), "errors": errors, "mean_average_precision": precision}
        options.json.write_text(json.dumps(result, indent=1))
    lost = errors["mse"] >= min(errors[name] for name in ("mse_of_mean", "mse_of_last_row")) or gain.low <= 0
    return int(lost)


if __name__ == "__main__":
    sys.exit(main())
