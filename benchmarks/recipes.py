"""Two recipes in one decode beside two runs, on a 720p video.

    python -m benchmarks.recipes [--seconds 60] [--repetitions 5]

Two frame recipes of different layers, sizes and rates, for which decoding is at least a third of the cost. ``both`` is
one run with both recipes, ``a`` and ``b`` a run of each; they take turns, each into a fresh store, so that a machine
that slows down slows all. The ratio is both / (a + b), wanted at most 0.8; its spread is that of its repetitions. At
the end the rows are compared: they must be the same bits.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from statistics import median

import numpy as np

import visfeat as vf
from benchmarks.machine import describe_machine, warn_if_busy
from benchmarks.made_videos import Made, make
from visfeat.decode import open_decoder
from visfeat.media import MediaItem, identify, uri_of

WANTED_RATIO, LEAST_DECODING = 0.8, 1 / 3
RECIPES = {
    "a": vf.Recipe(name="a", every_s=Fraction(1, 2)),
    "b": vf.Recipe(name="b", every_s=Fraction(1), size=288, layers="blocks.4.1", pool="max"),
}


def extracted_s(video: Path, names: str, store: Path) -> float:
    """Seconds that a run of these recipes takes, from compiling the networks to the last commit."""
    start = time.perf_counter()
    vf.extract_many(video, [RECIPES[name] for name in names], store=store)
    return time.perf_counter() - start


def decoded_s(video: Path) -> float:
    """Seconds that decoding alone takes."""
    start = time.perf_counter()
    item, content = identify(MediaItem(uri_of(video), 0, 0))
    with closing(open_decoder(item, content)) as decoder:
        for _ in decoder.frames():
            pass
    return time.perf_counter() - start


def same_rows(together: Path, alone: dict[str, Path]) -> bool:
    """Whether the rows of both runs are the same bits."""
    store = vf.open_store(together)
    digests = {stored.title: stored.digest for stored in store.recipes()}
    pairs = [
        (store.features(recipe=digest)[0], vf.open_store(alone[name]).features()[0]) for name, digest in digests.items()
    ]
    return len(pairs) == len(RECIPES) and all(np.array_equal(one, other) for one, other in pairs)


def measured(video: Path, scratch: Path, repetitions: int) -> dict[str, list[float]]:
    """Seconds of each kind of run; the stores are left in ``scratch`` under the kind and the repetition."""
    kinds: dict[str, list[float]] = {"decode": [], "a": [], "b": [], "ab": []}
    for number in range(repetitions):
        for kind, seconds in kinds.items():
            store = scratch / f"{kind}{number}.vf"
            seconds.append(decoded_s(video) if kind == "decode" else extracted_s(video, kind, store))
    return kinds


def main() -> int:
    """Measure and print; 1 where one decode saves too little or changes a row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    warn_if_busy()
    with tempfile.TemporaryDirectory(prefix="visfeat-recipes-") as name:
        scratch = Path(name)
        video = make(Made("30", options.seconds, height=720, width=1280), scratch)
        extracted_s(video, "ab", scratch / "warm.vf")
        found = measured(video, scratch, options.repetitions)
        same = same_rows(scratch / "ab0.vf", {kind: scratch / f"{kind}0.vf" for kind in RECIPES})
    ratios = [both / (a + b) for both, a, b in zip(found["ab"], found["a"], found["b"], strict=True)]
    shares = [min(decode / a, decode / b) for decode, a, b in zip(found["decode"], found["a"], found["b"], strict=True)]
    print(describe_machine()["cpu"])
    for kind, seconds in found.items():
        print(f"{kind:>6}: {median(seconds):6.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")
    print(f"decoding is {median(shares):.2f} of the dearer run")
    print(f"both / (a + b): {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), wanted {WANTED_RATIO}")
    print(f"rows: {'the same bits' if same else 'DIFFERENT'}")
    return 0 if same and median(ratios) <= WANTED_RATIO and median(shares) >= LEAST_DECODING else 1


if __name__ == "__main__":
    sys.exit(main())
