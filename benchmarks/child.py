"""Runs a measurement in a process of its own, so that no two of them share threads, caches or memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


class MeasurementFailed(Exception):
    """A measurement's process ended with an error; its message holds what the process wrote."""


def measure(module: str, *arguments: str | Path | int) -> dict[str, float]:
    """Run ``python -m module`` from the repository's root and return the JSON object that it prints last.

    Modules that take ``--started-at`` count their start from before the process existed. Raises MeasurementFailed.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    if module != "benchmarks.limit":
        command += ["--started-at", repr(time.time())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MeasurementFailed(f"{module} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result
