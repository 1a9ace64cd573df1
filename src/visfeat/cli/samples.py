"""``visfeat samples``: real photographs and videos to try things on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument


def samples(folder: Annotated[Path, Argument(help="The folder to write to.")]) -> None:
    """Write the sample photographs and videos, with a file that names their licenses."""
    from visfeat.samples import write_samples

    for path in write_samples(folder):
        print(path)
