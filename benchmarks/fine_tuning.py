"""Fine-tuning: the bundled network, which knows photographs, learns new classes from few pictures.

    python -m benchmarks.fine_tuning FOLDER [--each 10] [--test 100] [--data FOLDER_OF_IDX] [--json FILE]

The pictures are Fashion-MNIST's, photographs of clothes of 28 x 28 gray pixels: so many of each class are drawn from
its training files, and measured is on pictures of its test files. All networks learn from the same pictures and are
measured on the same ones; nothing was chosen by the test pictures, and none validates, so that the last epoch counts.

    cnn          the textbook's network for such pictures, from random weights
    random       the bundled network's architecture, from random weights
    frozen       the bundled network as it is, a new head on it
    last layers  the head and the last eight layers with weights (a convolution or a batch norm each)
    all          everything learns, from the bundled weights on
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.fashion_mnist import DEBIAN, Pictures, pictures_of
from benchmarks.machine import describe_machine, warn_if_busy
from visfeat.train.build import build, input_of
from visfeat.train.evaluate import evaluate
from visfeat.train.known import BUNDLED, freeze_all_but
from visfeat.train.run import train
from visfeat.train.settings import Settings

CLASSES = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle_boot",
)  # fmt: skip
LAST_LAYERS = 8
_KNOWN = {"model": BUNDLED, "size": 96, "fit": "squash", "augment": ("flip", "shift:3")}
WAYS: dict[str, dict[str, object]] = {
    "cnn": {"model": "cnn", "dropout": 0.3, "augment": ("flip", "shift:1"), "epochs": 60, "lr": 0.003},
    "random": {**_KNOWN, "weights": "random:0", "epochs": 60, "lr": 0.003},
    "frozen": {**_KNOWN, "freeze": True, "epochs": 30, "lr": 0.01},
    "last layers": {**_KNOWN, "freeze": True, "unfreeze_last": LAST_LAYERS, "epochs": 30, "lr": 0.002},
    "all": {**_KNOWN, "epochs": 30, "lr": 0.002},
}
STARTED = ("frozen", "last layers", "all")
"""The ways that start from the bundled weights."""
COMMON: dict[str, object] = {"batch_size": 20, "val": 0.0, "logger": ("csv",)}
SEED = 0


@dataclass(frozen=True)
class Row:
    """One line of the table: numbers that learn and all of them, share of the test pictures, seconds of training."""

    name: str
    learned: int
    parameters: int
    accuracy: float
    low: float
    high: float
    seconds: float


def write_pictures(folder: Path, data: Path, *, train: int, test: int) -> None:
    """``train/CLASS/00000.png`` and ``test/CLASS/00000.png``, so many a class, drawn by the seed from IDX files."""
    for split, each in (("train", train), ("test", test)):
        pictures, labels = pictures_of(data)[split]
        for number, label in enumerate(CLASSES):
            _write_class(folder / split / label, pictures, np.flatnonzero(labels == number), each)


def _write_class(folder: Path, pictures: Pictures, own: NDArray[np.int64], each: int) -> None:
    if each > len(own):
        raise SystemExit(f"{each} pictures of {folder.name}: there are {len(own)}")
    folder.mkdir(parents=True, exist_ok=True)
    for n in np.random.default_rng(SEED).choice(own, each, replace=False):
        Image.fromarray(pictures[n]).save(folder / f"{n:05}.png")


def tuned(folder: Path, name: str, pictures: Path, threads: int | None) -> Row:
    """Train one network by ``visfeat train`` and measure it on the test pictures."""
    out = folder / "runs" / name.replace(" ", "_")
    settings = Settings.from_options(data=(str(pictures),), out=str(out), threads=threads, **(COMMON | WAYS[name]))
    run = train(settings, report=lambda line: print(f"{name}: {line}", file=sys.stderr))
    found = evaluate(str(run.folder)).metrics["top1"]
    learned, parameters = sizes(settings)
    seconds = float(run.card.training["seconds"])
    return Row(name, learned, parameters, found.value, found.low, found.high, seconds)


def sizes(settings: Settings) -> tuple[int, int]:
    """How many numbers of the network learn, and how many it has."""
    settings = settings.model_copy(update={"weights": "random:0"})
    built = build(settings, input_of(settings), len(CLASSES))
    if settings.freeze:
        freeze_all_but(built.module, built.head, last=settings.unfreeze_last)
    values = list(built.module.parameters())
    return sum(one.numel() for one in values if one.requires_grad), sum(one.numel() for one in values)


def print_table(rows: list[Row]) -> None:
    """The table as Markdown."""
    print("| way | learned | of parameters | test accuracy | seconds |\n|---|---|---|---|---|")
    for row in rows:
        accuracy = f"{row.accuracy:.1%} [{row.low:.1%}, {row.high:.1%}]"
        print(f"| {row.name} | {row.learned:,} | {row.parameters:,} | {accuracy} | {row.seconds:.0f} |")


def main() -> int:
    """Write the pictures, train, and show the table; exit status 1 where the bundled weights help none of the ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="gets pictures and runs; what is there is not made again")
    parser.add_argument("--each", type=int, default=10, help="training pictures a class")
    parser.add_argument("--test", type=int, default=100, help="test pictures a class")
    parser.add_argument("--data", type=Path, default=DEBIAN, help="the folder of the IDX files")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    machine = describe_machine()
    warn_if_busy()
    pictures = options.folder / "pictures"
    if not pictures.exists():
        write_pictures(pictures, options.data, train=options.each, test=options.test)
    rows = [tuned(options.folder, name, pictures, options.threads) for name in WAYS]
    print_table(rows)
    print(f"{options.each} training and {options.test} test pictures a class")
    if options.json:
        result = {"machine": machine, "each": options.each, "test": options.test}
        options.json.write_text(json.dumps(result | {"rows": [asdict(row) for row in rows]}, indent=1))
    nothing = next(row for row in rows if row.name == "random")
    return int(max(row.low for row in rows if row.name in STARTED) <= nothing.high)


if __name__ == "__main__":
    sys.exit(main())
