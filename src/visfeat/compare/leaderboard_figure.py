"""A leaderboard as a figure: for each number a column of dots with their intervals, and who sees like whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from visfeat.compare.leaderboard import Entry, Leaderboard
from visfeat.figure import ACCENT, CURVE, FAINT, INK, PALE, new_figure, printable, shortened
from visfeat.train.metrics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {
    "knn_top1": "nearest neighbors\ntop-1",
    "knn_top5": "nearest neighbors\ntop-5",
    "probe_top1": "linear probe\ntop-1",
    "probe_top5": "linear probe\ntop-5",
    "map": "retrieval\nmAP",
    "recall_at_1": "retrieval\nrecall@1",
    "recall_at_5": "retrieval\nrecall@5",
    "recall_at_10": "retrieval\nrecall@10",
    "nmi": "clusters\nNMI",
    "ari": "clusters\nARI",
}
"""What each number is called over its column."""
SHOWN = ("knn_top1", "probe_top1", "map", "recall_at_1", "nmi")
LEGEND = "blue learned by a network, red made by hand; lines: 95% of bootstrap resamples of the test items"
_ROW_IN, _NAMES_IN, _COLUMN_IN, _TOP_IN, _BOTTOM_IN = 0.42, 2.9, 1.7, 1.4, 0.4
_MOST_ALIKE = 24
"""Entries up to which it is drawn who sees like whom."""


@dataclass(frozen=True)
class Row:
    """A name, what it costs, and whether it was made by hand."""

    name: str
    cost: str
    hand_made: bool

    @property
    def color(self) -> str:
        """Of its dots."""
        return ACCENT if self.hand_made else CURVE


Column = tuple[str, Sequence[Interval | None]]
"""A title of two lines, and a number for each row where there is one."""


def draw_leaderboard(board: Leaderboard, *, title: str = "", metrics: Sequence[str] = SHOWN) -> Figure:
    """One row an entry, a column for each of the metrics that are there; raises MissingExtra without matplotlib."""
    entries = board.entries
    rows = [Row(entry.name, cost_of(entry), entry.hand_made) for entry in entries]
    shown = [name for name in metrics if name in board.metrics]
    columns: list[Column] = [(TITLES[name], [entry.metrics[name] for entry in entries]) for name in shown]
    alike = 1 < len(entries) <= _MOST_ALIKE
    figure = draw_rows(
        rows, columns, title=title or "Leaderboard", lines=[board.summary, LEGEND],
        beside_in=len(entries) * _ROW_IN + 0.6 if alike else 0.0,
    )  # fmt: skip
    if alike:
        _draw_alike(_panel(figure, len(rows), len(columns), len(entries) * _ROW_IN), entries)
    return figure


def draw_rows(
    rows: Sequence[Row], columns: Sequence[Column], *, title: str, lines: Sequence[str], beside_in: float = 0.0
) -> Figure:
    """Names at the left, columns of dots beside them; at most two lines under the title.

    ``beside_in`` inches stay free at the right. Raises MissingExtra without matplotlib.
    """
    width_in = _NAMES_IN + len(columns) * _COLUMN_IN + max(0.2, beside_in)
    height_in = _TOP_IN + len(rows) * _ROW_IN + _BOTTOM_IN
    figure = new_figure(width_in, height_in)
    for number, (name, numbers) in enumerate(columns):
        axes = _panel(figure, len(rows), number, _COLUMN_IN - 0.25)
        _draw_dots(axes, numbers, [row.color for row in rows])
        axes.set_title(name, fontsize=9, color=INK, loc="left")
    for number, row in enumerate(rows):
        middle_in = _TOP_IN + (number + 0.5) * _ROW_IN
        name = shortened(printable(row.name), 36)
        texts = (
            (0.2, -0.07, 9.5, FAINT, str(number + 1)),
            (0.45, -0.07, 9.5, INK, name),
            (0.45, 0.1, 7, FAINT, row.cost),
        )
        for left_in, shift_in, size, color, text in texts:
            place = (left_in / width_in, 1 - (middle_in + shift_in) / height_in)
            figure.text(*place, text, fontsize=size, color=color, va="center", parse_math=False)
    figure.text(0.2 / width_in, 1 - 0.34 / height_in, printable(title), fontsize=14, color=INK, parse_math=False)
    for number, line in enumerate(lines):
        place = (0.2 / width_in, 1 - (0.59 + 0.19 * number) / height_in)
        figure.text(*place, printable(line), fontsize=8.5, color=FAINT, parse_math=False)
    return figure


def cost_of(entry: Entry) -> str:
    """Values and bytes of a row, and how fast it comes."""
    speed = "" if entry.rows_per_s is None else f", {entry.rows_per_s:,.0f} a second"
    return f"{entry.dimension:,} values, {entry.row_bytes:,} bytes{speed}"


def _panel(figure: Figure, rows: int, column: int, wide_in: float) -> Axes:
    """Axes over all rows, at the place of a column."""
    width_in, height_in = figure.get_size_inches()
    left_in = _NAMES_IN + column * _COLUMN_IN
    box = (left_in / width_in, _BOTTOM_IN / height_in, wide_in / width_in, rows * _ROW_IN / height_in)
    return figure.add_axes(box, label=str(column))


def _draw_dots(axes: Axes, numbers: Sequence[Interval | None], colors: Sequence[str]) -> None:
    """One row a number, the first on top: a dot, its interval, and the number over it; nothing where there is none."""
    for row, (one, color) in enumerate(zip(numbers, colors, strict=True)):
        if one is None or np.isnan(one.value):
            continue
        axes.plot([one.low, one.high], [row, row], color=color, linewidth=2.5, alpha=0.4, solid_capstyle="butt")
        axes.plot([one.value], [row], "o", color=color, markersize=5)
        axes.annotate(
            f"{one.value:.3f}", (one.value, row), (0, 4), textcoords="offset points", fontsize=7, color=INK, ha="center"
        )
    axes.set_ylim(len(numbers) - 0.5, -0.5)
    axes.set_xlim(*_limits(numbers))
    axes.locator_params(axis="x", nbins=4)
    axes.set_yticks(range(len(numbers)), [""] * len(numbers))
    axes.grid(axis="both", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=FAINT, labelsize=7, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _limits(numbers: Sequence[Interval | None]) -> tuple[float, float]:
    """Room for all intervals, and for the number over each dot."""
    bounds = [bound for one in numbers if one is not None for bound in (one.low, one.high) if np.isfinite(bound)]
    low, high = min(bounds, default=0.0), max(bounds, default=1.0)
    room = 0.14 * max(high - low, 0.1)
    return low - room, high + room


def _draw_alike(axes: Axes, entries: Sequence[Entry]) -> None:
    """Linear CKA of each pair, debiased, in the order of the rows."""
    values = np.array([[row.cka_debiased.get(other.name, 1.0) for other in entries] for row in entries])
    axes.imshow(values, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if row != column:
            color = "white" if value > 0.6 else INK
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=6.5, color=color)
    axes.set_title("linear CKA with\nthe row of that number", fontsize=9, color=INK, loc="left")
    axes.set_xticks(range(len(entries)), [str(n + 1) for n in range(len(entries))])
    axes.set_yticks([])
    axes.tick_params(colors=FAINT, labelsize=7, length=0)
    for spine in axes.spines.values():
        spine.set_color(PALE)
