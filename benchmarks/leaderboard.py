"""Deep features against hand-made ones and raw pixels, on real pictures, by ``visfeat compare``.

    python -m benchmarks.leaderboard FOLDER [--train 1500] [--test 1000] [--picture docs/images/leaderboard.png]

Three sets of pictures, each written as PNG files and extracted into a store, a recipe at a time, so that each speed is
its own: Fashion-MNIST (the first ``--train`` and ``--test`` pictures of its two splits), scikit-learn's digits, and
views of the photographs that come with scikit-image and scikit-learn, where the class is the photograph. SIFT's
vocabularies are learned, without labels, from some pictures of each set. On Fashion-MNIST a small network is also
trained by ``visfeat train``, on the training pictures alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import visfeat as vf
from benchmarks.fashion_mnist import DEBIAN
from benchmarks.labeled_pictures import Labeled, add_pixels, digits, fashion, photographs
from benchmarks.leaderboard_picture import draw_boards
from benchmarks.machine import describe_machine, warn_if_busy
from visfeat.compare import Leaderboard, compare
from visfeat.errors import MissingExtra
from visfeat.extraction.learn_words import learn_words
from visfeat.figure import save
from visfeat.labels import read_labels
from visfeat.store import FeatureStore, open_store

PICTURE = Path("docs/images/leaderboard.png")
NETWORKS: dict[str, dict[str, object]] = {
    "EfficientNet-Lite0 last layer": {},
    "EfficientNet-Lite0 middle layer": {"layers": "blocks.3"},
}
"""The bundled network: name -> options of a recipe."""
HAND_MADE = {
    "classic/hog": "HOG",
    "classic/sift_bow": "SIFT bag of words",
    "classic/sift_vlad": "SIFT VLAD",
    "classic/sift_fisher": "SIFT Fisher vector",
    "classic/lbp": "local binary patterns",
    "classic/color_histogram": "color histogram",
    "classic/phash": "perceptual hash",
}
PIXELS, OWN = "raw pixels", "CNN trained on these: fc1"
CNN: dict[str, object] = {
    "model": "cnn", "size": 28, "channels": 1, "dropout": 0.3, "augment": ("flip", "shift:1"), "batch_size": 64,
    "lr": 0.003, "val": 0.05, "logger": ("csv",),
}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    folder: Path
    data: Path
    train: int
    test: int
    epochs: int
    words_from: int
    picture: Path
    json: Path | None


def described(name: str, pictures: Labeled, options: Options) -> Leaderboard:
    """Extract every recipe that is missing, one at a time, and compare them."""
    path = options.folder / f"{name}.vf"
    for title, recipe in NETWORKS.items():
        _extract(pictures, path, title, recipe)
    for model, title in HAND_MADE.items():
        own = _own_words(model, pictures, options) if "/sift" in model else {}
        _extract(pictures, path, title, {"model": model} | own)
    if name == "fashion" and options.epochs:
        run = _trained(pictures, options)
        _extract(pictures, path, OWN, {"model": str(run), "layers": "fc1"})
    store = open_store(path)
    add_pixels(store, PIXELS)
    return _compared(store, pictures)


def _extract(pictures: Labeled, store: Path, title: str, options: Mapping[str, object]) -> None:
    try:
        run = vf.extract(pictures.folder, store=store, name=title, **options)
    except MissingExtra as error:
        print(f"{title}: left out: {error}", file=sys.stderr)
        return
    print(f"{title}: {run.summary}", file=sys.stderr)


def _own_words(model: str, pictures: Labeled, options: Options) -> dict[str, object]:
    """A vocabulary learned, without labels, from some of the pictures; one that is there is not learned again."""
    path = pictures.table.with_name(f"{model.rpartition('/')[2]}.safetensors")
    if not path.is_file():
        names = sorted(pictures.folder.iterdir())
        drawn = np.random.default_rng(0).choice(len(names), min(options.words_from, len(names)), replace=False)
        learn_words([names[n] for n in np.sort(drawn)], model=model, size_px=pictures.sift_px).vocabulary.save(path)
    return {"weights": str(path), "size": pictures.sift_px}


def _trained(pictures: Labeled, options: Options) -> Path:
    """The run's folder; a finished one is not trained again."""
    from visfeat.train.run import train
    from visfeat.train.settings import Settings

    out = options.folder / "cnn"
    settings = Settings.from_options(data=(str(pictures.table),), out=str(out), epochs=options.epochs, **CNN)
    return train(settings, report=lambda line: print(line, file=sys.stderr)).folder


def _compared(store: FeatureStore, pictures: Labeled) -> Leaderboard:
    labels = read_labels(pictures.table, store)
    started = time.perf_counter()
    board = compare(store, labels)
    print(f"compared in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return board


def table(boards: Mapping[str, Leaderboard]) -> str:
    """All boards as one table of Markdown."""
    lines = []
    for name, board in boards.items():
        lines += [f"\n{name}: {board.summary}\n", "| | values | bytes | rows/s | " + " | ".join(board.metrics) + " |"]
        lines.append("|---" * (4 + len(board.metrics)) + "|")
        for entry in board.entries:
            speed = "" if entry.rows_per_s is None else f"{entry.rows_per_s:.0f}"
            numbers = [f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in entry.metrics.values()]
            cells = (entry.name, str(entry.dimension), str(entry.row_bytes), speed, *numbers)
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    """Write pictures, extract, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="gets pictures and stores; what is there is not made again")
    parser.add_argument("--data", type=Path, default=DEBIAN, help="the folder of Fashion-MNIST's IDX files")
    parser.add_argument("--train", type=int, default=1500)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=12, help="of the CNN; 0 leaves it out")
    parser.add_argument(
        "--words-from", type=int, default=200, help="pictures that SIFT's vocabularies are learned from"
    )
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--json", type=Path)
    options = Options(**vars(parser.parse_args()))
    machine = describe_machine()
    warn_if_busy()
    started = time.perf_counter()
    sets = {
        "fashion": fashion(options.folder / "fashion", options.data, {"train": options.train, "test": options.test}),
        "digits": digits(options.folder / "digits"),
        "photographs": photographs(options.folder / "photographs"),
    }
    boards = {name: described(name, pictures, options) for name, pictures in sets.items()}
    print(table(boards))
    save(draw_boards(boards), options.picture)
    seconds = time.perf_counter() - started
    print(f"\n{seconds:.0f} s in all on {machine['cores']} cores, {machine['cpu']}; drawn: {options.picture}")
    if options.json:
        result = {"machine": machine, "seconds": round(seconds), "boards": {n: b.to_json() for n, b in boards.items()}}
        options.json.write_text(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
