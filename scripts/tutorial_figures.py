"""The figures of docs/tutorial.md; ``tutorial.py`` calls these functions with what the page's own code computed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.figure import FAINT, INK, new_figure, save

Picture = NDArray[Any]
Draw = Callable[[Path], object]
"""Writes the figure to a path."""


def copy(path: str) -> Draw:
    """A figure that a command of the page drew."""
    return lambda target: shutil.copyfile(path, target)


def row(**pictures: Picture) -> Draw:
    """Pictures side by side, gray or in color; those with values below 0 have gray for 0."""
    figure = new_figure(2.6 * len(pictures), 2.9)
    for number, (name, values) in enumerate(pictures.items(), start=1):
        axes = figure.add_subplot(1, len(pictures), number)
        most = float(np.abs(values).max())
        axes.imshow(values, cmap="gray", vmin=-most if values.min() < 0 else 0, vmax=most, interpolation="nearest")
        size = f"{values.shape[0]} × {values.shape[1]}"
        axes.set_title(name.replace("_", " "), fontsize=11, color=INK)
        axes.set_xlabel(size, fontsize=9, color=FAINT)
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_visible(False)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.88, bottom=0.08, wspace=0.04)
    return lambda target: save(figure, target)


def strips(**clips: Sequence[Picture]) -> Draw:
    """Clips below each other, their frames from left to right."""
    longest = max(len(clip) for clip in clips.values())
    figure = new_figure(1.1 * longest, 1.45 * len(clips))
    for line, (name, clip) in enumerate(clips.items()):
        axes = figure.add_subplot(len(clips), 1, line + 1)
        axes.imshow(np.concatenate(list(clip), axis=1), interpolation="nearest")
        axes.set_title(name.replace("_", " "), fontsize=11, color=INK, loc="left")
        axes.axis("off")
    figure.subplots_adjust(left=0.01, right=0.99, top=0.9, bottom=0.01, hspace=0.25)
    return lambda target: save(figure, target)
