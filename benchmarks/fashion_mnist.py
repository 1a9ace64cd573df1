"""Fashion-MNIST: the textbook's network trained by ``visfeat train``, and its 128 features beside raw pixels and HOG.

    python -m benchmarks.fashion_mnist FOLDER [--data /usr/share/datasets/fashion-mnist] [--json FILE]

Wanted: at least 91.5% of the test pictures right, within ten minutes on two cores. The features are those of the
layer ``fc1``, from the packed network, without torch; k nearest neighbors and logistic regression (scikit-learn) learn
from all 60,000 training pictures and are measured on the 10,000 test pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import visfeat as vf
from benchmarks.machine import describe_machine, warn_if_busy
from visfeat.train.data.idx import idx_pairs, read_pair
from visfeat.train.evaluate import evaluate
from visfeat.train.run import train
from visfeat.train.settings import Settings

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
MISSING = (
    "{folder}: no IDX files; install Debian's package dataset-fashion-mnist, or take the four files "
    "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz "
    "from the data set's own repository (zalandoresearch/fashion-mnist) and name their folder with --data"
)
SETTINGS: dict[str, object] = {
    "model": "cnn", "dropout": 0.3, "augment": ("flip", "shift:1"), "epochs": 12, "batch_size": 128, "lr": 0.003,
    "val": 0.02, "logger": ("csv",),
}  # fmt: skip
NEIGHBORS, BATCH = 5, 5000
WANTED, LIMIT_S = 0.915, 600

Pictures = NDArray[np.uint8]
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Described:
    """What scikit-learn makes of one kind of vectors: shares of the test pictures that are right."""

    name: str
    values: int
    seconds: float
    """Of describing all 70,000 pictures."""
    neighbors: float
    regression: float


def pictures_of(folder: Path) -> dict[str, tuple[Pictures, Pictures]]:
    """Split -> pictures uint8 ``(N, 28, 28)`` and labels ``(N,)``; exits where the files are not there."""
    pairs = idx_pairs(folder) if folder.is_dir() else []
    if len(pairs) != 2:
        raise SystemExit(MISSING.format(folder=folder))
    return {split: read_pair(images, labels) for split, images, labels in pairs}


def pixels(pictures: Pictures) -> Vectors:
    """The 784 values from 0 to 1."""
    return pictures.reshape(len(pictures), -1).astype(np.float32) / 255


def hog(pictures: Pictures) -> Vectors:
    """Histograms of oriented gradients (Dalal and Triggs 2005), cells of 7 x 7 pixels, blocks of 2 x 2 cells."""
    from skimage.feature import hog as hog_of

    options = {"orientations": 9, "pixels_per_cell": (7, 7), "cells_per_block": (2, 2)}
    return np.stack([hog_of(one, **options) for one in pictures]).astype(np.float32)


def learned(run: Path, pictures: Pictures) -> Vectors:
    """The run's features at ``fc1``, 128 values a picture."""
    extractor = vf.Extractor(str(run), layers="fc1")
    parts = [np.asarray(extractor(list(pictures[n : n + BATCH]))) for n in range(0, len(pictures), BATCH)]
    return np.concatenate(parts).astype(np.float32)


def describe(
    name: str, train_x: Vectors, test_x: Vectors, labels: tuple[Pictures, Pictures], seconds: float
) -> Described:
    """Nearest neighbors and logistic regression on these vectors."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    # One scale for all values: distances stay as they are.
    mean, scale = train_x.mean(axis=0), train_x.std()
    train_x, test_x = (train_x - mean) / scale, (test_x - mean) / scale
    neighbors = KNeighborsClassifier(NEIGHBORS, algorithm="brute").fit(train_x, labels[0])
    regression = LogisticRegression(C=0.1, max_iter=300, tol=1e-3).fit(train_x, labels[0])
    scores = [float((model.predict(test_x) == labels[1]).mean()) for model in (neighbors, regression)]
    return Described(name, train_x.shape[1], round(seconds, 1), *scores)


def described(run: Path, data: dict[str, tuple[Pictures, Pictures]]) -> list[Described]:
    """A line for each kind of vectors."""
    kinds = {
        "raw pixels": pixels,
        "HOG (scikit-image)": hog,
        "visfeat --layers fc1": lambda pictures: learned(run, pictures),
    }
    lines = []
    for name, vectors in kinds.items():
        started = time.perf_counter()
        train_x, test_x = (vectors(data[split][0]) for split in ("train", "test"))
        seconds = time.perf_counter() - started
        lines.append(describe(name, train_x, test_x, (data["train"][1], data["test"][1]), seconds))
    return lines


def main() -> int:
    """Train, describe, and show the table; exit status 1 where the network does not reach what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="gets the run; a finished one is not trained again")
    parser.add_argument("--data", type=Path, default=DEBIAN)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    data = pictures_of(options.data)
    machine = describe_machine()
    warn_if_busy()
    settings = Settings.from_options(data=(str(options.data),), out=str(options.folder / "fashion"), **SETTINGS)
    run = train(settings, report=lambda line: print(line, file=sys.stderr))
    accuracy, seconds = evaluate(str(run.folder)).metrics["top1"], run.card.training["seconds"]
    lines = described(run.folder, data)
    print("| vectors | values | seconds | 5 nearest neighbors | logistic regression |\n|---|---|---|---|---|")
    for line in lines:
        print(f"| {line.name} | {line.values} | {line.seconds} | {line.neighbors:.2%} | {line.regression:.2%} |")
    print(f"the network itself: {accuracy.value:.2%} [{accuracy.low:.2%}, {accuracy.high:.2%}], trained in {seconds} s")
    if options.json:
        result = {"machine": machine, "network": asdict(accuracy) | {"seconds": seconds}}
        options.json.write_text(json.dumps(result | {"vectors": [asdict(line) for line in lines]}, indent=1))
    if accuracy.value < WANTED or seconds > LIMIT_S:
        print(f"wanted: {WANTED:.1%} within {LIMIT_S} s on two quiet cores")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
