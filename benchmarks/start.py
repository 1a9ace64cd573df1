"""Ten images from a cold start, beside a script that only imports the same libraries.

    python -m benchmarks.start

``visfeat extract`` runs in a fresh process into a fresh store; the other process imports the libraries that the first
one used and ends. They take turns; the ratio of the medians is at most 2. The very first run, with an empty cache of
compiled models, is shown apart.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.child import ROOT
from benchmarks.corpus import default_corpus
from benchmarks.machine import warn_if_busy

IMAGES = 10
WANTED_RATIO = 2.0
LIBRARIES = (
    "av", "cykooz_resizer", "lance", "numpy", "openvino", "PIL", "pillow_heif", "pyarrow", "pydantic", "rich",
    "simplejpeg", "tomli_w", "typer", "torch", "torchvision", "timm",
)  # fmt: skip
EXTRACT = "import sys; from visfeat.cli.main import main; sys.argv[0] = 'visfeat'; main()"
LIST = "import atexit, sys; atexit.register(lambda: print(*sys.modules)); " + EXTRACT


def extract(code: str, folder: Path, cache: Path) -> tuple[float, str]:
    """Seconds of ``visfeat extract`` in a fresh process and store, and what it wrote on stdout."""
    with tempfile.TemporaryDirectory(prefix="visfeat-start-") as scratch:
        arguments = ["extract", str(folder), "--store", str(Path(scratch) / "fresh.vf"), "--json"]
        environment = os.environ | {"VISFEAT_CACHE": str(cache)}
        start = time.perf_counter()
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return time.perf_counter() - start, done.stdout


def imports(libraries: list[str]) -> float:
    """Seconds of a process that imports the libraries and ends; without OpenVINO's telemetry, as in visfeat."""
    code = f"import sys; sys.modules['openvino_telemetry'] = None; import {', '.join(libraries)}"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main() -> int:
    """Measure and print; 1 where a cold start costs more than twice the imports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=9)
    options = parser.parse_args()
    warn_if_busy()
    with tempfile.TemporaryDirectory(prefix="visfeat-ten-") as name:
        ten, cache = Path(name) / "ten", Path(name) / "cache"
        ten.mkdir()
        for path in sorted(default_corpus(ROOT / "build").glob("*.jpg"))[:IMAGES]:
            shutil.copy(path, ten)
        first_s, _ = extract(EXTRACT, ten, cache)
        used = set(extract(LIST, ten, cache)[1].splitlines()[-1].split())
        libraries = [library for library in LIBRARIES if library in used]
        pairs = [(extract(EXTRACT, ten, cache)[0], imports(libraries)) for _ in range(options.repetitions)]
    own_s, imports_s = (median(seconds) for seconds in zip(*pairs, strict=True))
    print(f"imports alone ({', '.join(libraries)}): {imports_s:.2f} s")
    ratio = own_s / imports_s
    print(f"ten images, empty cache: {first_s:.2f} s; after that: {own_s:.2f} s, {ratio:.2f} times the imports")
    return 0 if ratio <= WANTED_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
