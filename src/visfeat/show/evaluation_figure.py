"""An evaluation as one figure: confusion matrix, precision against recall, reliability, and how the training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from visfeat.figure import ACCENT, CURVE, FAINT, INK, PALE, new_figure, printable, shortened
from visfeat.train.evaluation import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves = Mapping[str, Sequence[tuple[float, float]]]
"""Name of a number in the logs -> (epoch, value)."""

MOST_NAMED, MOST_NUMBERED = 30, 16
"""Classes up to which a confusion matrix has their names, and numbers in its cells."""
_MOST_CURVES = 10
_PANEL_IN = 4.4
_TOP_IN = 0.8


def draw_evaluation(found: Evaluation, training: Curves | None = None) -> Figure:
    """All panels that there is something for; raises MissingExtra without matplotlib."""
    curves = {name: points for name, points in (training or {}).items() if len(points) > 1}
    panels = [_confusion] if found.confusion else []
    panels += [_precision_recall] if found.precision_recall else []
    panels += [_reliability] if found.reliability is not None else []
    rows = 2 if len(panels) + bool(curves) > 2 else 1
    columns = -(-(len(panels) + bool(curves)) // rows)
    width_in, height_in = max(2, columns) * _PANEL_IN + 1.2, rows * _PANEL_IN + _TOP_IN
    figure = new_figure(width_in, height_in)
    grid = figure.add_gridspec(
        rows, columns, left=1.2 / width_in, right=1 - 0.5 / width_in, top=1 - (_TOP_IN + 0.3) / height_in,
        bottom=0.75 / height_in, wspace=0.38, hspace=0.42,
    )  # fmt: skip
    for number, panel in enumerate(panels):
        panel(figure.add_subplot(grid[divmod(number, columns)]), found)
    if curves:
        _training(figure.add_subplot(grid[divmod(len(panels), columns)]), curves)
    _headline(figure, found)
    return figure


def _headline(figure: Figure, found: Evaluation) -> None:
    width_in, height_in = figure.get_size_inches()
    where = "all of the data" if found.split == "all" else f"the {found.split} split"
    numbers = ", ".join(
        f"{name} {one.value:.4f} [{one.low:.4f}, {one.high:.4f}]" for name, one in found.metrics.items()
    )
    texts = ((0.3, 14, INK, f"{found.run}: {where}, {found.files:,} files"), (0.58, 9, FAINT, numbers))
    for top_in, size, color, text in texts:
        most = int(width_in * 110 / size)
        line = shortened(printable(text), most)
        figure.text(0.2 / width_in, 1 - top_in / height_in, line, fontsize=size, color=color, parse_math=False)


def _titled(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.set_xlabel(x, fontsize=9, color=FAINT)
    axes.set_ylabel(y, fontsize=9, color=FAINT)
    axes.tick_params(colors=FAINT, labelsize=8, length=3)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(PALE)


def _confusion(axes: Axes, found: Evaluation) -> None:
    """Shares of each true class; the counts in the cells where there is room."""
    matrix = np.array(found.confusion)
    shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _titled(axes, "Confusion", "taken for", "is")
    count = len(found.classes)
    names = [shortened(printable(name), 18) for name in found.classes]
    if count <= MOST_NAMED:
        axes.set_xticks(range(count), names, rotation=90 if count > 3 else 0, parse_math=False)
        axes.set_yticks(range(count), names, parse_math=False)
    if count <= MOST_NUMBERED:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            color = "white" if shares[row, column] > 0.6 else INK
            axes.text(column, row, str(matrix[row, column]), ha="center", va="center", fontsize=7, color=color)


def _precision_recall(axes: Axes, found: Evaluation) -> None:
    """A curve a class, those with the smallest area named; the others are faint."""
    curves = sorted(found.precision_recall.items(), key=lambda item: item[1].average)
    for number, (name, curve) in enumerate(reversed(curves)):
        named = len(curves) - number <= _MOST_CURVES
        label = f"{shortened(printable(name), 18)} {curve.average:.3f}" if named else None
        color = None if named else PALE
        axes.plot(curve.recall, curve.precision, linewidth=1.3, color=color, label=label)
    _titled(axes, "Precision against recall, and the area below", "recall", "precision")
    axes.set_xlim(0, 1.01)
    axes.set_ylim(0, 1.03)
    axes.legend(fontsize=7, frameon=False, labelcolor=INK, loc="lower left")


def _reliability(axes: Axes, found: Evaluation) -> None:
    """Dots on the line say what is true; below it they are too sure."""
    assert found.reliability is not None
    one = found.reliability
    axes.plot([0, 1], [0, 1], color=PALE, linewidth=1)
    sizes = 12 + 140 * np.array(one.answers) / max(one.answers)
    axes.scatter(one.confidence, one.accuracy, s=sizes, color=CURVE, alpha=0.85)
    axes.plot(one.confidence, one.accuracy, color=CURVE, linewidth=1)
    _titled(axes, f"Reliability; calibration error {one.error:.3f}", "probability given", "share that is right")
    axes.set_xlim(0, 1.03)
    axes.set_ylim(0, 1.03)


def _training(axes: Axes, curves: Curves) -> None:
    """Losses on the left axis, scores on the right one."""
    right = axes.twinx()
    colors = {"train_loss": FAINT, "val_loss": ACCENT}
    for name, points in curves.items():
        loss = "loss" in name
        x, y = zip(*points, strict=True)
        (axes if loss else right).plot(x, y, color=colors.get(name) if loss else CURVE, linewidth=1.3, label=name)
    _titled(axes, "Training", "epoch", "loss")
    right.tick_params(colors=FAINT, labelsize=8, length=3)
    right.set_ylim(0, 1.03)
    for spine in right.spines.values():
        spine.set_visible(False)
    handles = [line for one in (axes, right) for line in one.get_lines()]
    axes.legend(handles=handles, fontsize=7, frameon=False, labelcolor=INK, loc="center right")
