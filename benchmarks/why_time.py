"""Why time matters: networks that see frames beside networks that see them in order, on ``benchmarks.motion_videos``.

    python -m benchmarks.why_time FOLDER [--train 200] [--test 15] [--json FILE] [--picture docs/images/why_time.png]

    cnn         trained on single frames; a video's probability is the mean over its frames
    mean        the bundled network's frame features, mean pooled; logistic regression
    c3d         convolutions over time (Tran et al. 2015), an eighth of the paper's width
    cnn_lstm    a small network for each frame, an LSTM over the frames (Donahue et al. 2015)

All but ``mean`` are trained by ``visfeat train``. "its pair": taken for the own class or its opposite. Frames without
their order can tell as much, but which of the two it is, they can only guess.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import visfeat as vf
from benchmarks.machine import describe_machine, warn_if_busy
from benchmarks.motion_videos import CLASSES, FPS, FRAMES, PAIRS, write_motion_videos
from benchmarks.why_time_picture import draw_table
from visfeat.train.evaluate import evaluate
from visfeat.train.metrics import Interval, bootstrap, confusion_matrix
from visfeat.train.run import train
from visfeat.train.settings import Settings

_CLIPS = {"clip": FRAMES, "clip_fps": FPS}
TRAINED: dict[str, dict[str, object]] = {
    "cnn": {"model": "cnn", "channels": 3, "every_s": f"{4 / FPS}s", "epochs": 6, "lr": 0.002, "batch_size": 64},
    "c3d": {
        "model": "c3d", "width": 8, "batch_norm": True, "dropout": 0.2, "epochs": 8, "lr": 0.003, "batch_size": 32,
        **_CLIPS,
    },
    "cnn_lstm": {
        "model": "cnn_lstm", "backbone": "benchmarks.grid_cnn:grid_cnn", "hidden": 128, "epochs": 26, "lr": 0.003,
        "clip_norm": 1.0, "augment": ("shift:3",), "batch_size": 16, **_CLIPS,
    },
}  # fmt: skip
SEES = {"cnn": "frames", "mean": "frames", "c3d": "clips", "cnn_lstm": "frames in order"}
_COUNTED = ("running_mean", "running_var", "num_batches_tracked")
"""Of batch normalization: counted and not learned."""
SIZE_PX, POOLED_SIZE_PX, POOLED_FRAMES = 32, 128, 4


@dataclass(frozen=True)
class Row:
    """One line of the table: shares of the test videos, seconds of training, parameters that were learned."""

    name: str
    sees: str
    accuracy: float
    low: float
    high: float
    pair: float
    seconds: float
    parameters: int
    videos: int


def trained(folder: Path, name: str, videos: Path) -> Row:
    """Train one network by ``visfeat train`` and measure it on the test videos."""
    settings = Settings.from_options(
        data=(str(videos),), out=str(folder / "runs" / name), size=SIZE_PX, logger=("csv",), **TRAINED[name]
    )
    run = train(settings, report=lambda line: print(f"{name}: {line}", file=sys.stderr))
    found = evaluate(str(run.folder))
    seconds = float(run.card.training["seconds"])
    return _row(name, found.metrics["top1"], np.array(found.confusion), found.classes, seconds, _parameters(run.folder))


def mean_pooled(folder: Path, videos: Path) -> Row:
    """The bundled network's features of some frames of each video, their mean, and logistic regression on them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    started = time.monotonic()
    vf.extract(videos, store=folder / "mean.vf", frames=POOLED_FRAMES, size=POOLED_SIZE_PX, temporal="mean")
    store = vf.open_store(folder / "mean.vf")
    (pooled,) = (stored for stored in store.recipes() if stored.recipe.temporal)
    values, table = store.features(recipe=pooled.digest)
    places = [Path(uri).parts[-3:-1] for uri in table["uri"].to_pylist()]
    test = np.array([split == "test" for split, _ in places])
    targets = np.array([CLASSES.index(label) for _, label in places])
    scaler = StandardScaler().fit(values[~test])
    learned = LogisticRegression(C=0.01, max_iter=1000).fit(scaler.transform(values[~test]), targets[~test])
    predicted = learned.predict(scaler.transform(values[test]))
    right = predicted == targets[test]
    accuracy = bootstrap(np.arange(len(right)), lambda chosen: float(right[chosen].mean()))
    matrix = confusion_matrix(targets[test], predicted, len(CLASSES))
    parameters = learned.coef_.size + learned.intercept_.size
    return _row("mean", accuracy, matrix, CLASSES, round(time.monotonic() - started, 1), parameters)


def _row(
    name: str,
    accuracy: Interval,
    matrix: NDArray[np.int64],
    classes: tuple[str, ...],
    seconds: float,
    parameters: int,
) -> Row:
    pair_of = {label: number for number, pair in enumerate(PAIRS) for label in pair}
    numbers = np.array([pair_of[label] for label in classes])
    in_pair = matrix[numbers[:, None] == numbers[None, :]].sum()
    videos = int(matrix.sum())
    pair = float(in_pair / videos)
    return Row(name, SEES[name], accuracy.value, accuracy.low, accuracy.high, pair, seconds, parameters, videos)


def _parameters(run: Path) -> int:
    """How many numbers the run learned."""
    from safetensors import safe_open

    with safe_open(run / "model.safetensors", "np") as weights:
        shapes = {name: weights.get_slice(name).get_shape() for name in weights.keys()}  # noqa: SIM118 (no dict)
    return sum(math.prod(shape) for name, shape in shapes.items() if not name.endswith(_COUNTED))


def print_table(rows: list[Row]) -> None:
    """The table as Markdown."""
    print("| network | sees | test accuracy | its pair | seconds | parameters |\n|---|---|---|---|---|---|")
    for row in rows:
        accuracy = f"{row.accuracy:.1%} [{row.low:.1%}, {row.high:.1%}]"
        print(f"| {row.name} | {row.sees} | {accuracy} | {row.pair:.1%} | {row.seconds:.0f} | {row.parameters:,} |")


def main() -> int:
    """Make the videos, train, and show the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="gets videos, a store and runs; what is there is not made again")
    parser.add_argument("--train", type=int, default=200, help="videos a class")
    parser.add_argument("--test", type=int, default=15, help="videos a class")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    machine = describe_machine()
    warn_if_busy()
    videos = options.folder / "videos"
    if not videos.exists():
        write_motion_videos(videos, train=options.train, test=options.test)
    rows = [trained(options.folder, "cnn", videos), mean_pooled(options.folder, videos)]
    rows += [trained(options.folder, name, videos) for name in ("c3d", "cnn_lstm")]
    print_table(rows)
    print(f"{rows[0].videos} test videos of {len(CLASSES)} classes; by chance {1 / len(CLASSES):.1%}")
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=1))
    if options.picture:
        draw_table(rows, options.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
