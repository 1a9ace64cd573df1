"""A map as a picture: every row a dot, and pictures of some of them where there is room. Needs the extra ``plot``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visfeat.figure import CURVE, FAINT, INK, PALE, new_figure, printable, save, shortened
from visfeat.maps.points import ShownPoints, spread
from visfeat.show.thumbnails import thumbnails

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = (
    "#2b6ca3", "#cb4b16", "#3a923a", "#8e5ea2", "#b8860b", "#17888f",
    "#c2417c", "#6b6b6b", "#7a5230", "#5b7fde", "#93a12b", "#a33b3b",
)  # fmt: skip
"""Of the groups in their order."""
_SIDE_IN, _TOP_IN, _MARGIN_IN, _LEGEND_IN = 9.0, 0.8, 0.3, 2.0
_PICTURE_IN = 0.62
_FLATTEST, _STEEPEST = 0.55, 1.2
_CANDIDATES = 600
_MOST_PICTURES = 90


def save_picture(points: ShownPoints, path: str | os.PathLike[str]) -> Path:
    """Draw the map as PNG or SVG, by the path's ending. Raises UsageError, StoreError, MissingExtra."""
    return save(draw(points), path)


def draw(points: ShownPoints) -> Figure:
    """The figure of a map; raises MissingExtra without matplotlib."""
    legend_in = _LEGEND_IN if points.groups else 0.0
    middle, sides = window(points.xy, _FLATTEST, _STEEPEST)
    map_in = _SIDE_IN * float(sides[1] / sides[0])
    width, height = _SIDE_IN + 2 * _MARGIN_IN + legend_in, map_in + _TOP_IN + _MARGIN_IN
    figure = new_figure(width, height)
    left = _MARGIN_IN / width
    figure.text(left, 1 - 0.3 / height, shortened(points.title, 90), fontsize=15, fontweight="bold", color=INK)
    figure.text(left, 1 - 0.57 / height, printable(shortened(points.subtitle, 130)), fontsize=9.5, color=FAINT)
    axes = figure.add_axes((left, _MARGIN_IN / height, _SIDE_IN / width, map_in / height))
    axes.set_xlim(middle[0] - sides[0] / 2, middle[0] + sides[0] / 2)
    axes.set_ylim(middle[1] - sides[1] / 2, middle[1] + sides[1] / 2)
    _dots(axes, points)
    _pictures(axes, points, float(sides[0]) / _SIDE_IN)
    if points.groups:
        _legend(figure, points, (_SIDE_IN + 1.6 * _MARGIN_IN) / width, height)
    return figure


def window(
    xy: NDArray[np.float32], flattest: float = 1.0, steepest: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The middle ``(2,)`` and the sides ``(2,)`` of the box that shows all points ``(N, 2)``, with a margin.

    ``flattest`` and ``steepest`` bound its height over its width; by default it is a square.
    """
    low, high = xy.min(axis=0).astype(np.float64), xy.max(axis=0).astype(np.float64)
    width, height = 1.12 * (high - low)
    width, height = max(width, height / steepest), max(height, width * flattest)
    return (low + high) / 2, np.array([width, height]) if width > 0 else np.array([1.0, steepest])


def apart(xy: NDArray[np.float32], candidates: NDArray[np.int64], distance: float, most: int) -> list[int]:
    """Of some points those that can have squares of that side without overlap, taken in turn; at most ``most``."""
    kept: list[int] = []
    for index in candidates.tolist():
        if len(kept) == most:
            break
        gaps = np.abs(xy[kept] - xy[index]).max(axis=1) if kept else np.array([np.inf])
        if gaps.min() >= distance:
            kept.append(index)
    return kept


def _dots(axes: Axes, points: ShownPoints) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(PALE)
    size = float(np.clip(20_000 / max(len(points.xy), 1), 2, 30))
    colors = [COLORS[one] if one >= 0 else (FAINT if points.groups else CURVE) for one in points.group]
    axes.scatter(points.xy[:, 0], points.xy[:, 1], s=size, c=colors, linewidths=0, alpha=0.7, rasterized=True)


def _pictures(axes: Axes, points: ShownPoints, per_in: float) -> None:
    """Small pictures in their groups' colors, each centered on its point; ``per_in``: of the map in an inch."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    candidates = np.random.default_rng(0).permutation(spread(points.xy, _CANDIDATES))
    chosen = apart(points.xy, candidates, 1.15 * _PICTURE_IN * per_in, _MOST_PICTURES)
    pixels = int(_PICTURE_IN * axes.figure.dpi)
    found = thumbnails([points.moment(index) for index in chosen], (2 * pixels, 2 * pixels))
    for number, picture in found:
        index = chosen[number]
        group = points.group[index]
        # 72 points an inch, so that a pixel of the picture is one of the figure.
        box = OffsetImage(np.asarray(_sized(picture, pixels)), zoom=72 / axes.figure.dpi)
        frame = {"edgecolor": COLORS[group] if group >= 0 else "white", "linewidth": 1.6}
        axes.add_artist(AnnotationBbox(box, points.xy[index], frameon=True, pad=0.0, bboxprops=frame))


def _sized(picture: Image.Image, side_px: int) -> Image.Image:
    """Shrunk to that side, or enlarged by whole steps as far as it fits, so that pixels can be seen."""
    steps = side_px // max(picture.size)
    if steps > 1:
        return picture.resize((picture.width * steps, picture.height * steps), Image.Resampling.NEAREST)
    small = picture.copy()
    small.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    return small


def _legend(figure: Figure, points: ShownPoints, left: float, height: float) -> None:
    for number, name in enumerate(points.groups):
        y = 1 - (_TOP_IN + 0.1 + 0.26 * number) / height
        figure.text(left, y, "●", fontsize=11, color=COLORS[number], va="center")
        count = int((points.group == number).sum())
        text = f"{shortened(printable(name), 18)}  {count:,}"
        figure.text(left + 0.022, y, text, fontsize=9.5, color=INK, va="center", parse_math=False)
