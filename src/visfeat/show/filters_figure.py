"""Filters as a figure: those over three colors as colored pictures, others in gray, those over time as strips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError
from visfeat.show.filters import Filters
from visfeat.show.sheet import MARGIN_IN, TOP_IN, Box, Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Tile = NDArray[np.float32]

_WIDTH_IN = 11.0
_GAP_IN, _NUMBER_IN = 0.1, 0.17
_MOST, _MOST_ROWS, _MOST_INPUTS = 96, 24, 24
_LARGEST_IN, _SMALLEST_IN = 0.95, 0.36
_LABEL_IN = 0.8


def draw_filters(filters: Filters, *, model: str, scale: str = "channel", count: int | None = None) -> Figure:
    """Draw the first ``count`` filters.

    A weight of 0 is a medium gray, and the largest absolute one, of each filter or with ``scale = "layer"`` of all, is
    black or white. Filters over three channels are colored pictures, over one gray ones; over more, a row of gray ones
    for each filter and a column for each input channel. Raises UsageError, MissingExtra.
    """
    if scale not in ("channel", "layer"):
        raise UsageError(f"--scale {scale}: there are channel and layer")
    channels = filters.values.shape[1]
    return _as_grid(filters, model, scale, count) if channels in (1, 3) else _as_table(filters, model, scale, count)


def _scaled(values: Tile, largest: float) -> Tile:
    """Weights as brightness: 0 becomes 0.5."""
    shade: Tile = (0.5 + values / (2 * (largest or 1.0))).clip(0, 1).astype(np.float32)
    return shade


def _largest(filters: Filters, number: int, scale: str, shown: int) -> float:
    values = filters.values[number] if scale == "channel" else filters.values[:shown]
    return float(np.abs(values).max())


def _sheet(height_in: float, filters: Filters, model: str, scale: str, shown: int) -> Sheet:
    first = f"the first {shown} of " if shown < len(filters.values) else ""
    each = "each filter" if scale == "channel" else "all of them"
    return Sheet(
        _WIDTH_IN,
        height_in,
        f"Filters of {filters.layer}",
        f"{model}; {first}{filters.described}; gray is 0, black and white the largest weights of {each}",
    )


def _as_grid(filters: Filters, model: str, scale: str, count: int | None) -> Figure:
    """One picture a filter, or a strip of T."""
    shown = min(count or _MOST, len(filters.values))
    steps, height, width = filters.values.shape[2:]
    space = _WIDTH_IN - 2 * MARGIN_IN
    # Strips of 3 x 3 weights may be small, one picture should not be.
    side = float(np.clip(4.6 / np.sqrt(shown), _SMALLEST_IN, _LARGEST_IN)) if steps == 1 else _SMALLEST_IN * 1.2
    columns = max(1, int((space + _GAP_IN) / (side * steps + _GAP_IN)))
    side = min(((space + _GAP_IN) / columns - _GAP_IN) / steps, _LARGEST_IN)
    tall = side * height / width
    pitch = tall + _NUMBER_IN + _GAP_IN
    sheet = _sheet(TOP_IN + -(-shown // columns) * pitch + 0.15, filters, model, scale, shown)
    for number in range(shown):
        row, column = divmod(number, columns)
        left = MARGIN_IN + column * (side * steps + _GAP_IN)
        top = TOP_IN + row * pitch + _NUMBER_IN
        sheet.words(left, top - _NUMBER_IN / 2, str(number), size=7)
        shades = _scaled(filters.values[number], _largest(filters, number, scale, shown))
        for step in range(steps):
            _draw(sheet, shades[:, step], (left + step * side, top, side - _step_in(steps), tall))
    return sheet.figure


def _as_table(filters: Filters, model: str, scale: str, count: int | None) -> Figure:
    """A row a filter, a column an input channel; strips where the kernels have an axis of time."""
    shown = min(count or _MOST_ROWS, len(filters.values))
    channels, steps, height, width = filters.values.shape[1:]
    space = _WIDTH_IN - 2 * MARGIN_IN - _LABEL_IN
    side = min(_LARGEST_IN, max(_SMALLEST_IN, space / (min(channels, _MOST_INPUTS) * steps) - _GAP_IN))
    columns = max(1, min(channels, int((space + _GAP_IN) / (side * steps + _GAP_IN))))
    tall = side * height / width
    pitch = tall + _GAP_IN
    sheet = _sheet(TOP_IN + 0.35 + shown * pitch + 0.15, filters, model, scale, shown)
    beyond = "" if columns == channels else f" 0 to {columns - 1} of {channels}"
    sheet.words(MARGIN_IN + _LABEL_IN, TOP_IN, f"input channel{beyond}", size=8.5)
    for number in range(shown):
        top = TOP_IN + 0.35 + number * pitch
        sheet.words(MARGIN_IN, top + tall / 2, f"filter {number}", size=8)
        shades = _scaled(filters.values[number], _largest(filters, number, scale, shown))
        for channel in range(columns):
            left = MARGIN_IN + _LABEL_IN + channel * (side * steps + _GAP_IN)
            if number == 0:
                sheet.words(left, top - 0.09, str(channel), size=7)
            for step in range(steps):
                box = (left + step * side, top, side - _step_in(steps), tall)
                _draw(sheet, shades[channel : channel + 1, step], box)
    return sheet.figure


def _step_in(steps: int) -> float:
    """What parts one step of a strip from the next."""
    return 0.025 if steps > 1 else 0.0


def _draw(sheet: Sheet, shades: NDArray[Any], box: Box) -> None:
    """One step of one kernel ``(1 or 3, H, W)``, 0 to 1."""
    image = shades[0] if len(shades) == 1 else np.moveaxis(shades, 0, -1)
    sheet.picture(image, box, colors="gray")
    sheet.frame(box)
