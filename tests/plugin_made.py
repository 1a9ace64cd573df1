"""A package with entry points, laid out as an installer would leave it, for other processes to find."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SMALL_MEMORY = '''
from visfeat.engine.openvino import OpenvinoEngine
from visfeat.errors import OutOfMemory


class SmallMemory:
    """OpenVINO that has room for two pictures, or two rows of several views."""

    name = "small"

    def compile(self, model, options):
        network = OpenvinoEngine().compile(model, options)
        if network.batch_size > 2 * options.batch_multiple:
            network.stream = self.too_much(network.batch_size)
        return network

    @staticmethod
    def too_much(batch_size):
        def stream(batches):
            next(iter(batches))
            raise OutOfMemory(f"no room for {batch_size} pictures", batch_size=batch_size)
            yield

        return stream
'''
"""The source of an engine."""


def write_package(folder: Path, name: str, source: str, entry_points: Mapping[str, Mapping[str, str]]) -> None:
    """The module ``name`` with its metadata."""
    (folder / f"{name}.py").write_text(source)
    about = folder / f"{name}-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    groups = [
        f"[{group}]\n" + "".join(f"{key} = {target}\n" for key, target in entries.items())
        for group, entries in entry_points.items()
    ]
    (about / "entry_points.txt").write_text("\n".join(groups))


def python(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the package is installed."""
    environment = os.environ | {"PYTHONPATH": str(package)}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment, cwd=package
    )
