"""Two recipes in one decode beside two runs, on a 720p video.

    python -m benchmarks.recipes [--seconds 120] [--repetitions 5]

Two frame recipes of different layers and sizes, a frame a second each, for which decoding is at least a third of the
cost. ``ab`` is one run with both, ``a`` and ``b`` a run of each; they take turns, each into a fresh store, so that a
machine that slows down slows all. The ratio is ab / (a + b), wanted at most 0.8; its spread is that of its repetitions.
The ratio of the CPU's seconds stands beside it: other work on the machine disturbs it less. At the end the rows are
compared: they must be the same bits.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

import numpy as np

import visfeat as vf
from benchmarks.machine import describe_machine, warn_if_busy
from benchmarks.made_videos import Made, make
from visfeat.decode import open_decoder
from visfeat.media import MediaItem, identify, uri_of

Seconds = dict[str, list[float]]
"""Kind of run -> seconds, one a repetition."""

WANTED_RATIO, LEAST_DECODING = 0.8, 1 / 3
RECIPES = {
    "a": vf.Recipe(name="a"),
    "b": vf.Recipe(name="b", size=288, layers="blocks.4.1", pool="max"),
}


def extract(video: Path, names: str, store: Path) -> None:
    """A run of these recipes, from compiling the networks to the last commit."""
    vf.extract_many(video, [RECIPES[name] for name in names], store=store)


def decode(video: Path) -> None:
    """Decoding alone."""
    item, content = identify(MediaItem(uri_of(video), 0, 0))
    with closing(open_decoder(item, content)) as decoder:
        for _ in decoder.frames():
            pass


def same_rows(together: Path, alone: dict[str, Path]) -> bool:
    """Whether the rows of both runs are the same bits."""
    store = vf.open_store(together)
    digests = {stored.title: stored.digest for stored in store.recipes()}
    pairs = [
        (store.features(recipe=digest)[0], vf.open_store(alone[name]).features()[0]) for name, digest in digests.items()
    ]
    return len(pairs) == len(RECIPES) and all(np.array_equal(one, other) for one, other in pairs)


def measured(video: Path, scratch: Path, repetitions: int) -> tuple[Seconds, Seconds]:
    """Seconds that pass, and those of all cores, of each kind of run; ``scratch`` gets a store for each."""
    passed: Seconds = {"decode": [], "a": [], "b": [], "ab": []}
    worked: Seconds = {kind: [] for kind in passed}
    for number in range(repetitions):
        for kind in passed:
            start, work = time.perf_counter(), time.process_time()
            if kind == "decode":
                decode(video)
            else:
                extract(video, kind, scratch / f"{kind}{number}.vf")
            passed[kind].append(time.perf_counter() - start)
            worked[kind].append(time.process_time() - work)
    return passed, worked


def ratios_of(seconds: Seconds) -> list[float]:
    """What one run of both costs of two runs, by repetition."""
    return [both / (a + b) for both, a, b in zip(seconds["ab"], seconds["a"], seconds["b"], strict=True)]


def main() -> int:
    """Measure and print; 1 where one decode saves too little or changes a row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    warn_if_busy()
    with tempfile.TemporaryDirectory(prefix="visfeat-recipes-") as name:
        scratch = Path(name)
        video = make(Made("30", options.seconds, height=720, width=1280), scratch)
        extract(video, "ab", scratch / "warm.vf")
        found, worked = measured(video, scratch, options.repetitions)
        same = same_rows(scratch / "ab0.vf", {kind: scratch / f"{kind}0.vf" for kind in RECIPES})
    ratios, cpu = ratios_of(found), ratios_of(worked)
    shares = [min(decode / a, decode / b) for decode, a, b in zip(found["decode"], found["a"], found["b"], strict=True)]
    print(describe_machine()["cpu"])
    for kind, seconds in found.items():
        print(f"{kind:>6}: {median(seconds):6.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")
    print(f"decoding is {median(shares):.2f} of the dearer run")
    print(f"ab / (a + b): {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), wanted {WANTED_RATIO}")
    print(f"of the CPU's seconds: {median(cpu):.2f} ({min(cpu):.2f} to {max(cpu):.2f})")
    print(f"rows: {'the same bits' if same else 'DIFFERENT'}")
    return 0 if same and median(ratios) <= WANTED_RATIO and median(shares) >= LEAST_DECODING else 1


if __name__ == "__main__":
    sys.exit(main())
