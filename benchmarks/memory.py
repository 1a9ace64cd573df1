"""Peak memory of a long video beside that of a short one of the same kind.

    python -m benchmarks.memory [--minutes 60]

An hour at 25 frames a second, 160 x 120, and two minutes of the same, each in a process of its own: frames through the
bundled network, and clips through r3d_18 (small pictures, so that an hour of clips takes minutes). The ratio of the
peaks is at most 1.3: memory does not grow with a video's length.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.child import ROOT, measure
from benchmarks.made_videos import Made, make

SHORT_S = 120
WANTED_RATIO = 1.3
NETWORKS: tuple[tuple[str | int, ...], ...] = (
    ("--model", "bundled/efficientnet_lite0"),
    ("--model", "torchvision/r3d_18", "--size", 32),
)


def main() -> int:
    """Measure and print; 1 where a long video takes more memory than it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    options = parser.parse_args()
    videos = [
        make(Made("25", seconds, height=120, width=160), ROOT / "build" / "videos")
        for seconds in (SHORT_S, 60 * options.minutes)
    ]
    worst = 0.0
    for network in NETWORKS:
        # The first pass of all packs the network, which takes memory of its own.
        measure("benchmarks.own_memory", videos[0], *network)
        short, long = (measure("benchmarks.own_memory", video, *network) for video in videos)
        ratio = long["peak_mb"] / short["peak_mb"]
        worst = max(worst, ratio)
        print(
            f"{network[1]}: {short['rows']:.0f} rows {short['peak_mb']:.0f} MB, {long['rows']:.0f} rows "
            f"{long['peak_mb']:.0f} MB in {long['seconds']:.0f} s, ratio {ratio:.2f}"
        )
    return 0 if worst <= WANTED_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
