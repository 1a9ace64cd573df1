"""Rows, times and seconds of each model of clips and each preset on made videos, as a Markdown table.

    python -m benchmarks.clip_table [NAME ...] [--seconds 10] [--rates 25 30 variable] [--all]

Random weights: what is shown is where the rows lie and what they cost, not what they say. By default a few small
models; NAMEs are any models or presets; ``--all`` takes all of torchvision's clips and every preset (minutes a model
on a CPU). The seconds are of a run that finds the model packed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from torchvision import models

import visfeat as vf
from benchmarks.child import ROOT
from benchmarks.machine import warn_if_busy
from benchmarks.made_videos import RATES, VARIABLE, Made, make
from visfeat.engine.prepare import prepare
from visfeat.presets import presets
from visfeat.recipe import Recipe

FEW = ("torchvision/r3d_18", "torchvision/mc3_18", "video_features/r21d")
PRESETS = (
    "video_features/r21d",
    "video_features/s3d",
    "video_features/i3d_rgb",
    "video_features/i3d_flow",
    "video_features/resnet",
    "clip-retrieval/video",
)
RANDOM = {"weights": "random:0"}
WEIGHTED = ("bundled/", "classic/")
"""Those whose weights, or none, come with them."""
HEADING = "| model or preset | rate | rows | shape | first | last | seconds |\n|---|---|---|---|---|---|---|"


def recipe_for(name: str) -> Recipe:
    """The recipe of a preset, or of a model at its own settings."""
    if name not in PRESETS:
        return Recipe(model=name, **({} if name.startswith(WEIGHTED) else RANDOM))
    (recipe,) = presets(name, RANDOM | ({"flow": "dis"} if name.endswith("flow") else {}))
    return recipe


def line(name: str, recipe: Recipe, video: Path, rate: str) -> str:
    """One row of the table."""
    with tempfile.TemporaryDirectory(prefix="visfeat-table-") as scratch:
        run = vf.extract(video, store=Path(scratch) / "fresh.vf", recipe=recipe)
        values, table = vf.open_store(Path(scratch) / "fresh.vf").features()
    windows = [
        f"{start:.2f} to {end:.2f} s"
        for start, end in zip(table["start_s"].to_pylist(), table["end_s"].to_pylist(), strict=True)
    ]
    shape = " x ".join(str(side) for side in values.shape[1:])
    return f"| {name} | {rate} | {len(values)} | {shape} | {windows[0]} | {windows[-1]} | {run.elapsed_s:.1f} |"


def main() -> int:
    """Print the table, a line as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rates", nargs="+", default=["25", "30", VARIABLE], choices=[*RATES, VARIABLE])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    warn_if_busy()
    known = (
        (*(f"torchvision/{name}" for name in models.list_models(module=models.video)), *PRESETS) if options.all else FEW
    )
    videos = {rate: make(Made(rate, options.seconds), ROOT / "build" / "videos") for rate in options.rates}
    print(HEADING)
    for name in options.names or known:
        recipe = recipe_for(name)
        prepare(recipe)  # packs it, the first time
        for rate, video in videos.items():
            print(line(name, recipe, video, rate), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
