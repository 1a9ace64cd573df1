"""Attention as a figure: the picture, all layers at once, one layer's mean, and each of its heads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visfeat.figure import INK
from visfeat.show.attention import Attention
from visfeat.show.heat import COLORS, heated
from visfeat.show.sheet import MARGIN_IN, TOP_IN, Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH_IN = 12.0
_GAP_IN, _LABEL_IN = 0.14, 0.24
_COLUMNS, _HEADS_IN_ROW = 3, 6
_MOST_STEPS = 8


def draw_attention(seen: Attention, *, model: str, layer: str | None = None) -> Figure:
    """Draw attention to the places of the picture, of one layer's heads (the last layer's) and of all layers.

    Each picture's colors go from its own least to its own largest value. Of a clip each of them is a row over time.
    Raises UnknownLayer, MissingExtra.
    """
    name = seen.chosen(layer)
    heads = seen.of_heads(name)
    who = "the class token" if seen.prefix_tokens else "the mean patch"
    pictures: list[tuple[str, NDArray[np.floating] | None]] = [
        ("what the network sees", None),
        (f"rollout through {len(seen.layers)} layers", seen.rolled_out()),
        (f"{name}: mean of {len(heads)} heads", heads.mean(axis=0)),
    ]
    pictures += [(f"head {number}", head) for number, head in enumerate(heads)]
    title = f"Attention of {who} in {seen.look.title}"
    steps, height, width = seen.places
    over = f"{steps} steps of time x " if steps > 1 else ""
    subtitle = f"{model}; {over}{height} x {width} patches; heads of {name}"
    draw = _draw_picture if steps == 1 else _draw_clip
    return draw(seen, pictures, title, subtitle)


def _draw_picture(
    seen: Attention, pictures: list[tuple[str, NDArray[np.floating] | None]], title: str, subtitle: str
) -> Figure:
    """Three large pictures, then the heads in rows."""
    shown = seen.look.pictures
    aspect = shown.shape[1] / shown.shape[2]
    space = _WIDTH_IN - 2 * MARGIN_IN
    large, small = ((space - (n - 1) * _GAP_IN) / n for n in (_COLUMNS, _HEADS_IN_ROW))
    rows = -(-(len(pictures) - _COLUMNS) // _HEADS_IN_ROW)
    below = TOP_IN + large * aspect + _LABEL_IN + 0.25
    sheet = Sheet(_WIDTH_IN, below + rows * (small * aspect + _LABEL_IN + _GAP_IN) + 0.45, title, subtitle)
    for number, (label, heat) in enumerate(pictures):
        is_large = number < _COLUMNS
        row, column = divmod(number if is_large else number - _COLUMNS, _COLUMNS if is_large else _HEADS_IN_ROW)
        width = large if is_large else small
        left = MARGIN_IN + column * (width + _GAP_IN)
        top = (TOP_IN if is_large else below + row * (small * aspect + _LABEL_IN + _GAP_IN)) + _LABEL_IN
        sheet.words(left, top - _LABEL_IN / 2, label, size=9 if is_large else 8, color=INK)
        sheet.picture(
            (shown if heat is None else heated(shown, heat, low=float(heat.min())))[0],
            (left, top, width, width * aspect),
        )
    _draw_scale(sheet, below + rows * (small * aspect + _LABEL_IN + _GAP_IN) + 0.05)
    return sheet.figure


def _draw_clip(
    seen: Attention, pictures: list[tuple[str, NDArray[np.floating] | None]], title: str, subtitle: str
) -> Figure:
    """A row each, over time."""
    shown = seen.look.pictures
    frames = np.linspace(0, len(shown) - 1, min(len(shown), _MOST_STEPS)).round().astype(int)
    aspect = shown.shape[1] / shown.shape[2]
    width = (_WIDTH_IN - 2 * MARGIN_IN - (_MOST_STEPS - 1) * _GAP_IN) / _MOST_STEPS
    pitch = width * aspect + _LABEL_IN + 0.05
    sheet = Sheet(_WIDTH_IN, TOP_IN + len(pictures) * pitch + 0.45, title, subtitle)
    for row, (label, heat) in enumerate(pictures):
        top = TOP_IN + row * pitch + _LABEL_IN
        sheet.words(MARGIN_IN, top - _LABEL_IN / 2, label, size=8, color=INK)
        drawn = shown if heat is None else heated(shown, heat, low=float(heat.min()))
        for column, frame in enumerate(frames):
            sheet.picture(drawn[frame], (MARGIN_IN + column * (width + _GAP_IN), top, width, width * aspect))
    _draw_scale(sheet, TOP_IN + len(pictures) * pitch + 0.05)
    return sheet.figure


def _draw_scale(sheet: Sheet, top: float) -> None:
    sheet.scale(MARGIN_IN, top, "least attention", "most", colors=COLORS)
