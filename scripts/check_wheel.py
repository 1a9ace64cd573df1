"""Install a wheel alone into a fresh environment without torch and use it from outside the checkout.

    python scripts/check_wheel.py dist/visfeat-0.1.0-py3-none-any.whl --constraints constraints.txt

Only the standard library is used here; what is checked runs in the fresh environment's own processes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DONE, NOT_STARTED, BAD_USAGE, WITH_FAILURES = 0, 1, 2, 3
FORBIDDEN = ("torch", "torchvision", "timm")


class CheckFailed(Exception):
    """The installed wheel does not do what it promises."""


@dataclass(frozen=True)
class Installed:
    """A fresh environment with the wheel, and an empty folder in which its commands run."""

    environment: Path
    folder: Path

    @property
    def _scripts(self) -> Path:
        return self.environment / ("Scripts" if os.name == "nt" else "bin")

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the environment's interpreter, isolated from the checkout."""
        return self._run([str(self._scripts / "python"), "-I", *arguments])

    def visfeat(self, *arguments: str, expect: int = DONE) -> str:
        """Run the command and return its stdout; raises CheckFailed on another exit code or a traceback."""
        done = self._run([str(self._scripts / "visfeat"), *arguments])
        if done.returncode != expect or "Traceback" in done.stderr:
            raise CheckFailed(
                f"visfeat {' '.join(arguments)}: exit code {done.returncode}, not {expect}\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        clean |= {"VISFEAT_CACHE": str(self.folder / "cache"), "PYTHONUTF8": "1"}
        return subprocess.run(command, cwd=self.folder, env=clean, capture_output=True, text=True, check=False)


def install(wheel: Path, constraints: Path, environment: Path) -> None:
    """Make the environment and install the wheel with the sample media at pinned versions."""
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    command = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([*command, "-c", str(constraints), f"{wheel}[samples]"], check=True)


def check_no_torch(installed: Installed) -> None:
    """The environment must be unable to import torch: the core runs without it."""
    for name in FORBIDDEN:
        if "ModuleNotFoundError" not in installed.python("-c", f"import {name}").stderr:
            raise CheckFailed(f"{name} is installed beside the wheel; the core must not bring it")


def check_files(installed: Installed) -> None:
    """The default model, its notice and the typing marker travel in the wheel, read from outside the checkout."""
    script = (
        "import visfeat, pathlib; root = pathlib.Path(visfeat.__file__).parent; print(root);"
        "assert (root / 'py.typed').exists(); assert list((root / 'models/data').glob('*.vfmodel'));"
        "assert (root / 'models/data/NOTICE').exists()"
    )
    done = installed.python("-c", script)
    if done.returncode != 0 or not done.stdout.startswith(str(installed.environment)):
        raise CheckFailed(f"the wheel lacks files or was not the one imported:\n{done.stdout}{done.stderr}")


def check_demo(installed: Installed) -> None:
    """The demo runs and leaves at least one picture."""
    installed.visfeat("demo")
    if not list(installed.folder.rglob("*.png")):
        raise CheckFailed("visfeat demo left no contact sheet")


def check_extract(installed: Installed) -> None:
    """Extract samples twice, then with a broken file: the summary, the exit codes and what is left to do."""
    installed.visfeat("samples", "media")
    first = _summary(installed.visfeat("extract", "media", "--json"))
    _expect(first["items"], done=("> 0", first["items"]["done"] > 0), failed=("0", first["items"]["failed"] == 0))
    again = _summary(installed.visfeat("extract", "media", "--json"))
    same = again["items"]["unchanged"] == first["items"]["done"]
    _expect(again["items"], done=("0", again["items"]["done"] == 0), unchanged=("all", same))
    (installed.folder / "media" / "broken.jpg").write_bytes(b"")
    broken = _summary(installed.visfeat("extract", "media", "--json", expect=WITH_FAILURES))
    _expect(broken["items"], failed=("1", broken["items"]["failed"] == 1))
    failures = json.loads(installed.visfeat("failures", "features.vf", "--json"))
    if [Path(row["uri"]).name for row in failures] != ["broken.jpg"]:
        raise CheckFailed(f"visfeat failures names other files: {failures}")


def check_reading(installed: Installed) -> None:
    """What was extracted can be looked at, exported, and read from Python."""
    info = json.loads(installed.visfeat("info", "features.vf", "--json"))
    if not info["recipes"]:
        raise CheckFailed(f"the store has no recipe: {info}")
    installed.visfeat("export", "features.vf", "--to", "parquet", "out")
    if not list((installed.folder / "out").rglob("*.parquet")):
        raise CheckFailed("visfeat export wrote no Parquet file")
    script = (
        "import visfeat as vf; x, meta = vf.open_store('features.vf').features();"
        "assert len(x) == len(meta) > 0 and x.shape[1] == 1280, x.shape;"
        "ex = vf.Extractor(); assert ex(['media/cat.png']).shape == (1, 1280);"
        "assert vf.extract('media', store='again.vf').rows == len(x)"
    )
    done = installed.python("-c", script)
    if done.returncode != 0:
        raise CheckFailed(f"reading from Python failed:\n{done.stderr}")


def check_usage(installed: Installed) -> None:
    """Wrong options and missing extras: one line, the right exit code."""
    installed.visfeat("extract", "media", "--every", "never", expect=BAD_USAGE)
    installed.visfeat("extract", "nowhere", expect=BAD_USAGE)
    installed.visfeat("extract", "media", "--model", "timm/resnet18", expect=NOT_STARTED)
    installed.visfeat("doctor")


def _summary(stdout: str) -> dict[str, Any]:
    """The one object that --json prints; raises CheckFailed where stdout holds anything else."""
    try:
        summary = json.loads(stdout)
    except json.JSONDecodeError as error:
        raise CheckFailed(f"--json printed something that is not one JSON object ({error}):\n{stdout}") from None
    missing = {"store", "recipe", "items", "rows", "elapsed_s"} - set(summary)
    missing |= {"done", "partial", "failed", "unchanged", "ignored"} - set(summary.get("items", ()))
    if missing:
        raise CheckFailed(f"the summary lacks {sorted(missing)}: {summary}")
    return dict(summary)


def _expect(items: Mapping[str, int], **wanted: tuple[str, bool]) -> None:
    for name, (text, holds) in wanted.items():
        if not holds:
            raise CheckFailed(f"items.{name} should be {text}: {dict(items)}")


def main() -> int:
    """Install, run every check and print the seconds of each; 0 where all hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--constraints", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="visfeat-wheel-") as scratch:
        installed = Installed(Path(scratch) / "environment", Path(scratch) / "elsewhere")
        installed.folder.mkdir()
        start = time.perf_counter()
        install(options.wheel.resolve(), options.constraints.resolve(), installed.environment)
        print(f"installed in {time.perf_counter() - start:.1f} s")
        for check in (check_no_torch, check_files, check_demo, check_extract, check_reading, check_usage):
            start = time.perf_counter()
            try:
                check(installed)
            except CheckFailed as problem:
                print(f"{check.__name__}: {problem}", file=sys.stderr)
                return 1
            print(f"{check.__name__}: {time.perf_counter() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
