"""The picture to the table of ``why_time``: what the videos show, and which networks can tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from benchmarks.motion_videos import CLASSES, FRAMES, PAIRS, TEXTURES, photographs_of, video
from visfeat.figure import ACCENT, CURVE, FAINT, INK, PALE, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN_FRAMES, SEED = 8, 5
_ON_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}


class Line(Protocol):
    """What is drawn of a row of the table."""

    @property
    def name(self) -> str:
        """The network."""

    @property
    def sees(self) -> str:
        """Frames, or frames in order."""

    @property
    def accuracy(self) -> float:
        """Share of the test videos."""

    @property
    def low(self) -> float:
        """Where its interval begins."""

    @property
    def high(self) -> float:
        """Where it ends."""


def draw_table(rows: Sequence[Line], path: Path) -> None:
    """Strips of frames of each pair of classes on the left, accuracies with their intervals on the right."""
    figure = new_figure(12, 5)
    grid = figure.add_gridspec(
        len(PAIRS), 3, width_ratios=(1, 1, 0.8), left=0.01, right=0.985, top=0.9, bottom=0.12, wspace=0.06, hspace=0.35
    )
    photographs = photographs_of(TEXTURES["test"])
    for row, pair in enumerate(PAIRS):
        for column, label in enumerate(pair):
            # One seed for both: the same bar over the same background.
            frames = video(label, photographs, np.random.default_rng([SEED, row]))
            chosen = np.linspace(0, FRAMES - 1, SHOWN_FRAMES).round().astype(int)
            axes = figure.add_subplot(grid[row, column])
            axes.imshow(np.concatenate([frames[n] for n in chosen], axis=1), interpolation="bilinear")
            axes.set_title(label.replace("_", " then "), fontsize=8, color=INK, pad=2)
            axes.set_axis_off()
    bars = figure.add_subplot(grid[:, 2])
    _bars(bars, rows)
    figure.text(0.01, 0.955, "Videos whose class no single frame tells, and who can tell it", fontsize=12, color=INK)
    save(figure, path)


def _bars(axes: Axes, rows: Sequence[Line]) -> None:
    """A bar a network; dashed what guessing gives, and the most that frames without their order can give."""
    colors = [FAINT if row.sees == "frames" else CURVE for row in rows]
    errors = [[row.accuracy - row.low for row in rows], [row.high - row.accuracy for row in rows]]
    axes.barh(range(len(rows)), [row.accuracy for row in rows], color=colors, height=0.55)
    axes.errorbar([row.accuracy for row in rows], range(len(rows)), xerr=errors, fmt="none", ecolor=INK, capsize=3)
    for number, row in enumerate(rows):
        words = f"{row.name}, sees {row.sees}: {row.accuracy:.1%}"
        axes.text(0.02, number - 0.42, words, fontsize=9, color=INK, va="center", bbox=_ON_PAPER)
    for share, text in ((1 / len(CLASSES), "by chance"), (0.5, "the right pair,\nthen a guess")):
        axes.axvline(share, color=ACCENT, linestyle="--", linewidth=1)
        axes.text(share + 0.015, len(rows) - 0.3, text, fontsize=8, color=ACCENT, va="center")
    axes.set_yticks([])
    axes.set_ylim(len(rows), -0.7)
    axes.set_xlim(0, 1.0)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"], fontsize=8, color=FAINT)
    axes.set_xlabel("test videos named rightly", fontsize=9, color=FAINT)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(PALE)
