"""visfeat's own part of the image benchmark: ``extract`` into fresh stores.

    python -m benchmarks.own_images FOLDER

Prints one JSON object: seconds from the start of the process to the committed store, and seconds of a second
extraction into another store in the same process. Both include finding, hashing and committing the files.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import visfeat as vf


def save_features(store: Path, target: Path) -> None:
    """Write names and vectors of a store for the comparison with the peer."""
    values, table = vf.open_store(store).features()
    np.savez(target, names=[Path(uri).name for uri in table["uri"].to_pylist()], values=values)


def main() -> int:
    """Extract twice and print the seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--started-at", type=float, default=time.time())
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="visfeat-bench-") as scratch:
        first = vf.extract(options.folder, store=Path(scratch) / "first.vf", precision=options.precision)
        fresh_s = time.time() - options.started_at
        start = time.perf_counter()
        second = vf.extract(options.folder, store=Path(scratch) / "second.vf", precision=options.precision)
        warm_s = time.perf_counter() - start
        if first.rows != second.rows or second.items["done"] != second.rows:
            raise SystemExit(f"not every picture was extracted: {second.items}")
        if options.save:
            save_features(Path(scratch) / "first.vf", options.save)
    print(json.dumps({"images": second.rows, "fresh_s": fresh_s, "warm_s": warm_s}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
