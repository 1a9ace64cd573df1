"""An evaluation as one figure: confusion matrix, precision against recall, reliability, and how the training went."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from visfeat.figure import ACCENT, CURVE, FAINT, INK, PALE, new_figure, printable, shortened
from visfeat.train.evaluation import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves = Mapping[str, Sequence[tuple[float, float]]]
"""Name of a number in the logs -> (epoch, value)."""
Panel = Callable[["Axes"], None]

MOST_NAMED, MOST_NUMBERED = 30, 16
"""Classes up to which a confusion matrix has their names, and numbers in its cells."""
_MOST_CURVES = 10
_PANEL_IN, _BAND_IN = 4.4, 4.9
_TOP_IN = 0.7


def draw_evaluation(found: Evaluation, training: Curves | None = None) -> Figure:
    """All panels that there is something for, of several heads a row each; raises MissingExtra without matplotlib."""
    curves = {name: points for name, points in (training or {}).items() if len(points) > 1}
    bands = [(f"{name}: {_scores(one)}", _panels(one)) for name, one in found.heads.items()]
    if bands:
        bands += [("", [_of_training(curves)])] if curves else []
    else:
        panels = _panels(found) + ([_of_training(curves)] if curves else [])
        # Two by two, where there are more than stand beside each other.
        columns = len(panels) if len(panels) < 3 else -(-len(panels) // 2)
        bands = [("", panels[n : n + columns]) for n in range(0, len(panels), max(1, columns))]
    width_in = max([2, *(len(panels) for _, panels in bands)]) * _PANEL_IN + 1.2
    height_in = len(bands) * _BAND_IN + _TOP_IN
    figure = new_figure(width_in, height_in)
    for number, (title, panels) in enumerate(bands):
        _draw_band(figure, title, panels, top_in=_TOP_IN + number * _BAND_IN)
    _headline(figure, found)
    return figure


def _panels(found: Evaluation) -> list[Panel]:
    panels: list[Panel] = [lambda axes: _confusion(axes, found)] if found.confusion else []
    panels += [lambda axes: _precision_recall(axes, found)] if found.precision_recall else []
    panels += [lambda axes: _reliability(axes, found)] if found.reliability is not None else []
    return panels


def _of_training(curves: Curves) -> Panel:
    return lambda axes: _training(axes, curves)


def _draw_band(figure: Figure, title: str, panels: Sequence[Panel], *, top_in: float) -> None:
    """Panels beside each other, from ``top_in`` inches below the figure's upper edge on."""
    width_in, height_in = figure.get_size_inches()
    columns = int((width_in - 1.2) / _PANEL_IN + 0.5)
    top, bottom = 1 - (top_in + 0.5) / height_in, 1 - (top_in + _BAND_IN - 0.9) / height_in
    grid = figure.add_gridspec(
        1, columns, left=1.2 / width_in, right=1 - 0.5 / width_in, top=top, bottom=bottom, wspace=0.38
    )
    for column, panel in enumerate(panels):
        panel(figure.add_subplot(grid[0, column]))
    line = shortened(printable(title), int(width_in * 10))
    figure.text(0.2 / width_in, 1 - (top_in + 0.12) / height_in, line, fontsize=11, color=INK, parse_math=False)


def _scores(found: Evaluation) -> str:
    return ", ".join(f"{name} {one.value:.4f} [{one.low:.4f}, {one.high:.4f}]" for name, one in found.metrics.items())


def _headline(figure: Figure, found: Evaluation) -> None:
    width_in, height_in = figure.get_size_inches()
    where = "all of the data" if found.split == "all" else f"the {found.split} split"
    numbers = "" if found.heads else _scores(found)
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
    axes.locator_params(axis="x", integer=True)
    right.tick_params(colors=FAINT, labelsize=8, length=3)
    right.set_ylim(0, 1.03)
    for spine in right.spines.values():
        spine.set_visible(False)
    handles = [line for one in (axes, right) for line in one.get_lines()]
    axes.legend(handles=handles, fontsize=7, frameon=False, labelcolor=INK, loc="center right")
