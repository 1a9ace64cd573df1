"""The self-similarity of a video: how like each moment is to each other one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from visfeat.errors import naming
from visfeat.figure import FAINT, new_figure
from visfeat.plot.clock import clock
from visfeat.plot.features import Choice, VideoRows, identified, rows_of
from visfeat.plot.panels import counted, headline, shot_bars, tidy, time_axis
from visfeat.plot.series import edges_s, self_similarity
from visfeat.plot.thumbnails import Span
from visfeat.plot.watch import known_shots
from visfeat.shots.detect import Shot, shots_of_item
from visfeat.shots.transnetv2 import ShotDetector

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS = 2000
"""Sides of the matrix; of a video with more rows some are left out."""
_MATRIX_IN, _BAR_IN, _GAP_IN = 7.6, 0.16, 0.05
_LEFT_IN, _TOP_IN, _BOTTOM_IN, _RIGHT_IN = 0.85, 0.95, 0.6, 1.15
_SIZE_IN = (_LEFT_IN + _MATRIX_IN + _RIGHT_IN, _TOP_IN + _BAR_IN + _MATRIX_IN + _BOTTOM_IN)
_MOST_LINES = 60


def selfsim(
    video: str | os.PathLike[str],
    *,
    store: str | os.PathLike[str] | None = None,
    recipe: Choice = None,
    layer: str | None = None,
    most_rows: int = MOST_ROWS,
) -> Figure:
    """Draw the cosine of each row of a video with each other one, and where its shots meet.

    ``store``, ``recipe`` and ``layer`` as for ``timeline``, and so what it raises. Of more than ``most_rows`` rows
    so many are taken, evenly spread, and the picture says so.
    """
    figure = new_figure(*_SIZE_IN)
    item = identified(video)
    rows = rows_of(item, store, recipe, layer, most_rows)
    shots = known_shots(store, item)
    if shots is None:
        with naming(video):
            shots = shots_of_item(item, ShotDetector()).shots
    _draw(figure, os.path.basename(item.path), rows, shots)
    return figure


def _draw(figure: Figure, name: str, rows: VideoRows, shots: tuple[Shot, ...]) -> None:
    spans = [Span(float(shot.start_s), float(shot.end_s)) for shot in shots]
    edges = edges_s(rows.start_s, rows.end_s, spans[-1].end_s)
    length_s = max(float(edges[-1]), spans[-1].end_s)
    width_in, height_in = _SIZE_IN
    side_x, side_y = _MATRIX_IN / width_in, _MATRIX_IN / height_in
    left, bottom = _LEFT_IN / width_in, _BOTTOM_IN / height_in
    axes = figure.add_axes((left, bottom, side_x, side_y))
    matrix = self_similarity(rows.values)
    low = float(np.percentile(matrix, 1))
    # One picture inside an SVG too: four million cells as shapes would open nowhere.
    mesh = axes.pcolormesh(
        edges, edges, matrix, cmap="magma", vmin=min(low, 0.99), vmax=1, shading="flat", rasterized=True
    )
    for span in spans[1:] if len(spans) <= _MOST_LINES else ():
        axes.axvline(span.start_s, color="white", linewidth=0.6, alpha=0.7)
        axes.axhline(span.start_s, color="white", linewidth=0.6, alpha=0.7)
    tidy(axes)
    time_axis(axes, length_s, 12)
    axes.set_ylim(length_s, 0)
    axes.set_yticks(axes.get_xticks(), [label.get_text() for label in axes.get_xticklabels()])
    axes.set_xlabel("time", color=FAINT, fontsize=9)
    axes.set_ylabel("time", color=FAINT, fontsize=9)
    gap_y, bar_y = _GAP_IN / height_in, _BAR_IN / height_in
    above = figure.add_axes((left, bottom + side_y + gap_y, side_x, bar_y))
    shot_bars(above, spans)
    above.set(xlim=(0, length_s), ylim=(0, 1))
    beside = figure.add_axes((left + side_x + _GAP_IN / width_in, bottom, _BAR_IN / width_in, side_y))
    shot_bars(beside, spans, upright=True)
    beside.set(xlim=(0, 1), ylim=(length_s, 0))
    for bars in (above, beside):
        bars.axis("off")
    scale = figure.colorbar(
        mesh, cax=figure.add_axes((left + side_x + 0.35 / width_in, bottom, 0.14 / width_in, side_y / 2))
    )
    scale.set_label("cosine", color=FAINT, fontsize=9)
    scale.outline.set_visible(False)
    scale.ax.tick_params(colors=FAINT, labelsize=8.5, length=3)
    headline(figure, name, _subtitle(rows, length_s, len(shots)))


def _subtitle(rows: VideoRows, length_s: float, shots: int) -> str:
    taken = counted(rows.total, "row") if len(rows.values) == rows.total else f"{len(rows.values)} of {rows.total} rows"
    return "   ·   ".join([clock(length_s), counted(shots, "shot"), taken, rows.title])
