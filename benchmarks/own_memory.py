"""The peak memory of one extraction, in a process of its own.

    python -m benchmarks.own_memory VIDEO --model torchvision/r3d_18 --size 32

Prints one JSON object: rows, seconds, and the process's peak resident memory in MB.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from pathlib import Path

import visfeat as vf

KIB_IN_MB = 1024
"""Linux counts in KiB."""


def main() -> int:
    """Extract into a fresh store and print the peak."""
    parser = argparse.ArgumentParser()
    parser.add_argument("video", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--size", type=int)
    parser.add_argument("--started-at", type=float, default=0.0, help="not used here")
    options = parser.parse_args()
    weights = "pretrained" if options.model.startswith("bundled/") else "random:0"
    with tempfile.TemporaryDirectory(prefix="visfeat-memory-") as scratch:
        store = Path(scratch) / "fresh.vf"
        run = vf.extract(options.video, store=store, model=options.model, weights=weights, size=options.size)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_IN_MB
    print(json.dumps({"rows": run.rows, "seconds": run.elapsed_s, "peak_mb": peak_mb}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
