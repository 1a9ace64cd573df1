"""``visfeat demo``: the whole way once, on the sample media."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument


def demo(folder: Annotated[Path, Argument(help="The folder to work in.")] = Path("demo")) -> None:
    """Write the sample media, extract their features, show the nearest neighbors of an image and of a moment."""
    from visfeat.demo import run_demo

    run_demo(folder, report=print)
