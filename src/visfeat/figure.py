"""Figures that belong to nobody else: no window, no global state, saved as PNG or SVG. Needs the extra ``plot``."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visfeat.errors import MissingExtra, StoreError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg")
INK, FAINT, PALE, ACCENT, CURVE = "#1c1e21", "#6e747c", "#d9dce1", "#cb4b16", "#2b6ca3"
_DPI = 120
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "visfeat",  # the same picture is the same file
}


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure drawn by Agg; raises MissingExtra."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtra("a figure (matplotlib)", extra="plot") from None
    figure = Figure(figsize=(width_in, height_in), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def checked_path(path: str | os.PathLike[str], endings: tuple[str, ...] = ENDINGS) -> Path:
    """The path of a picture to write; raises UsageError for another ending, StoreError where its folder is not there.

    What takes minutes to draw is better refused before.
    """
    target = Path(path)
    if target.suffix.lower() not in endings:
        raise UsageError(f"-o {target}: a name that ends in {' or '.join(endings)}")
    if not target.parent.is_dir():
        raise StoreError(f"{target}: cannot be written (there is no folder {target.parent})")
    return target


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure as PNG or SVG, by the path's ending; raises UsageError for another, StoreError."""
    from matplotlib import rc_context

    target = checked_path(path)
    kind = target.suffix.lower().removeprefix(".")
    try:
        with rc_context(_STYLE), warnings.catch_warnings():
            # A sign of the file's name that the font lacks is drawn as a box.
            warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
            figure.savefig(target, format=kind, metadata={"Date": None} if kind == "svg" else None)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def printable(text: str) -> str:
    """The text with a question mark for each sign that cannot be drawn."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def shortened(text: str, most: int) -> str:
    """The text, with dots in place of its middle where it has more than ``most`` signs."""
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"
