"""The boards of several sets of pictures as one figure: a row for each kind of features, columns by set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from visfeat.compare import Entry, Leaderboard
from visfeat.compare.leaderboard_figure import LEGEND, Column, Row, cost_of, draw_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = {
    "fashion": ("Fashion-MNIST", {"probe_top1": "linear probe", "knn_top1": "neighbors", "map": "mAP"}),
    "digits": ("8 x 8 digits", {"probe_top1": "linear probe", "knn_top1": "neighbors"}),
    "photographs": ("views of photos", {"knn_top1": "neighbors", "map": "mAP"}),
}
"""Set -> its name, and which numbers are shown."""
HAND_MADE = ("classic/", "pixels/")


def draw_boards(boards: Mapping[str, Leaderboard]) -> Figure:
    """Rows in the order of the first column; raises MissingExtra without matplotlib."""
    first = next(iter(boards.values()))
    order = sorted(first.entries, key=lambda entry: entry.metrics["probe_top1"].value, reverse=True)
    rows = [Row(entry.name, cost_of(entry), entry.model.startswith(HAND_MADE)) for entry in order]
    columns: list[Column] = []
    for name, board in boards.items():
        title, numbers = COLUMNS[name]
        by_name: dict[str, Entry] = {entry.name: entry for entry in board.entries}
        for metric, word in numbers.items():
            column = [by_name[row.name].metrics[metric] if row.name in by_name else None for row in rows]
            columns.append((f"{title}\n{word}", column))
    items = "; ".join(
        f"{COLUMNS[name][0]}: {board.train_items:,} train, {board.test_items:,} test, {len(board.classes)} classes"
        for name, board in boards.items()
    )
    return draw_rows(rows, columns, title="Deep features, hand-made ones, and pixels", lines=[items, LEGEND])
