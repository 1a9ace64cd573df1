"""Why time matters: a network of frames, C3D and CNN + LSTM on videos whose class no single frame tells.

    python -m benchmarks.time_matters FOLDER [--each 120] [--epochs 20]

The frames' network sees every frame and its probabilities are averaged over the video; chance is one in twelve, and a
network that tells how the patch looks but not how it moves gets the pair right and the direction by chance.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.machine import describe_machine
from benchmarks.motions import CLASSES, FPS, FRAMES, SIDE_PX, write_motions
from visfeat.train.evaluate import evaluate
from visfeat.train.run import train
from visfeat.train.settings import Settings

_CLIPS = {"clip": FRAMES, "clip_fps": FPS}
MODELS: dict[str, dict[str, object]] = {
    "frames": {"model": "cnn", "channels": 3, "every_s": f"{1 / FPS}s", "batch_size": 128},
    "c3d": {"model": "c3d", "width": 16, "batch_norm": True, "dropout": 0.3, "lr": 0.002, "batch_size": 32, **_CLIPS},
    "cnn_lstm": {
        "model": "cnn_lstm", "backbone": "cnn", "channels": 3, "width": 16, "hidden": 128, "lr": 0.003,
        "batch_size": 32, **_CLIPS,
    },
}  # fmt: skip


def run(folder: Path, name: str, epochs: int) -> dict[str, object]:
    """Train one model; its accuracy on the test split by video, with the interval, and what it took."""
    settings = Settings.from_options(
        data=(str(folder / "videos"),),
        out=str(folder / "runs" / name),
        size=SIDE_PX,
        val=0.1,
        test=0.2,
        epochs=epochs,
        logger=("csv",),
        **MODELS[name],
    )
    trained = train(settings, report=print)
    top1 = evaluate(str(trained.folder)).metrics["top1"]
    return {"name": name, "top1": top1.value, "low": top1.low, "high": top1.high, **trained.card.training}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the three.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--each", type=int, default=120, help="videos a class")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--models", default=",".join(MODELS))
    given = parser.parse_args()
    if not (given.folder / "videos").exists():
        write_motions(given.folder / "videos", each=given.each)
    print(describe_machine())
    rows = [run(given.folder, name, given.epochs) for name in given.models.split(",")]
    print(f"{'model':10} test accuracy by video, of {len(CLASSES)} classes")
    for row in rows:
        print(f"{row['name']:10} {row['top1']:.3f} [{row['low']:.3f}, {row['high']:.3f}]  {row['seconds']} s")
