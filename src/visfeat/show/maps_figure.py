"""Feature maps as a figure: what was looked at, and the channels of each layer as a grid."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from visfeat.engine.loading import Report
from visfeat.engine.prepare import prepare
from visfeat.errors import UsageError
from visfeat.figure import INK
from visfeat.recipe import Recipe, recipe_of
from visfeat.show.activations import show_network
from visfeat.show.look import Look
from visfeat.show.maps import Maps, maps_of, telling_layers
from visfeat.show.sheet import MARGIN_IN, TOP_IN, Box, Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_WIDTH_IN = 13.0
_PICTURE_IN = 2.5
_COLUMNS = 8
_GAP_IN, _NUMBER_IN, _HEADING_IN, _BETWEEN_IN = 0.08, 0.17, 0.3, 0.25
_MANY, _SOME, _OVER_TIME = 32, 16, 8
"""How many channels of one layer, of each of several, of maps over time."""
_MOST_STEPS = 16


def feature_maps(
    path: str | os.PathLike[str],
    *,
    at_s: Fraction | None = None,
    recipe: Recipe | str | os.PathLike[str] | None = None,
    report: Report = lambda _: None,
    **options: Any,
) -> tuple[Look, list[Maps]]:
    """The maps of a picture, or of a frame or clip of a video, with what the network was shown.

    ``recipe`` and ``options`` as for ``extract`` (``model``, ``layers``, ``weights``, ``size``, ...); without layers
    those of ``maps.telling_layers``. Raises as ``extract`` does, MediaError, and UsageError for a layer without maps.
    """
    prepared = prepare(recipe_of(recipe, options), report=report, choose_layers=telling_layers)
    seen = show_network(path, prepared, at_s)
    frames = prepared.preprocessor.spec.clip_frames
    return seen.look, [maps_of(seen.values[spec.name], spec, frames) for spec in prepared.layers]


def draw_maps(
    shown: Look,
    layers: list[Maps],
    *,
    model: str,
    scale: str = "channel",
    channels: tuple[int, ...] | None = None,
    count: int | None = None,
) -> Figure:
    """Draw the maps of each layer below the other, each channel under its number.

    ``scale``: colors go from the least to the largest value of each channel, or of the layer. ``channels``: which, by
    default the ``count`` strongest ones. Raises UsageError for a channel that is not there, MissingExtra.
    """
    if scale not in ("channel", "layer"):
        raise UsageError(f"--scale {scale}: there are channel and layer")
    blocks = [_block(maps, len(layers), channels, count) for maps in layers]
    height_in = sum(block.height_in + _BETWEEN_IN for block in blocks)
    colors = "each channel" if scale == "channel" else "each layer"
    sheet = Sheet(
        _WIDTH_IN,
        TOP_IN + max(height_in, _PICTURE_IN + 0.4) + 0.1,
        f"Feature maps of {shown.title}",
        f"{model}; dark to bright: from the least to the largest value of {colors}",
    )
    _draw_look(sheet, shown)
    top = TOP_IN
    for block in blocks:
        block.draw(sheet, top, scale, shown)
        top += block.height_in + _BETWEEN_IN
    return sheet.figure


def _draw_look(sheet: Sheet, shown: Look) -> None:
    """What the network sees, at the left."""
    pictures = shown.pictures
    height, width = pictures.shape[1:3]
    scale = _PICTURE_IN / max(height, width)
    box = (MARGIN_IN, TOP_IN + _HEADING_IN, width * scale, height * scale)
    sheet.words(MARGIN_IN, TOP_IN + 0.08, "what the network sees", size=10, color=INK)
    sheet.picture(pictures[0], box)
    frames = "" if len(pictures) == 1 else f", the first of {len(pictures)} frames"
    sheet.words(MARGIN_IN, box[1] + box[3] + 0.14, f"{height} x {width} px{frames}", size=8)


@dataclass(frozen=True)
class _Block:
    """One layer's channels as a grid; over time each channel is a strip of steps, under the frames."""

    maps: Maps
    channels: list[int]
    strips: int
    """How many channels stand beside each other."""
    tile_in: tuple[float, float]
    """Height and width."""
    steps: list[int]
    """Which steps of time are drawn."""

    @property
    def over_time(self) -> bool:
        return len(self.maps.values[0]) > 1

    @property
    def pitch_in(self) -> float:
        return self.tile_in[0] + _NUMBER_IN + _GAP_IN

    @property
    def height_in(self) -> float:
        rows = -(-len(self.channels) // self.strips) + (1 if self.over_time else 0)
        return _HEADING_IN + rows * self.pitch_in

    def draw(self, sheet: Sheet, top: float, scale: str, shown: Look) -> None:
        left = MARGIN_IN + _PICTURE_IN + 0.4
        sheet.words(left, top + 0.08, self.maps.layer, size=10, color=INK, bold=True)
        sheet.words(_WIDTH_IN - MARGIN_IN, top + 0.08, self._described(), size=8.5, at="right")
        top += _HEADING_IN
        if self.over_time:
            self._draw_frames(sheet, left, top, shown)
            top += self.pitch_in
        chosen = self.maps.values[self.channels]
        for strip, channel in enumerate(self.channels):
            values = self.maps.values[channel]
            low, high = (values.min(), values.max()) if scale == "channel" else (chosen.min(), chosen.max())
            corner = self._box(strip, 0, left, top)
            sheet.words(corner[0], corner[1] - _NUMBER_IN / 2, str(channel), size=7)
            for number, step in enumerate(self.steps):
                box = self._box(strip, number, left, top)
                sheet.picture(values[step].astype(np.float32), box, low=float(low), high=float(high))

    def _box(self, strip: int, number: int, left: float, top: float) -> Box:
        """Where one step of one channel stands."""
        height, width = self.tile_in
        row, column = divmod(strip, self.strips)
        across = column * len(self.steps) + number
        return left + across * (width + _GAP_IN), top + _NUMBER_IN + row * self.pitch_in, width, height

    def _draw_frames(self, sheet: Sheet, left: float, top: float, shown: Look) -> None:
        pictures, steps = shown.pictures, self.maps.values.shape[1]
        for strip in range(min(self.strips, len(self.channels))):
            for number, step in enumerate(self.steps):
                box = self._box(strip, number, left, top)
                frame = step * len(pictures) // steps
                sheet.words(box[0], box[1] - _NUMBER_IN / 2, f"frame {frame}", size=7)
                sheet.picture(pictures[frame], box)

    def _described(self) -> str:
        count, steps, height, width = self.maps.values.shape
        over = f"{steps} steps of time x " if steps > 1 else ""
        shown = f"{len(self.channels)} of " if len(self.channels) < count else ""
        return f"{shown}{count} channels, {over}{height} x {width}"


def _block(maps: Maps, layers: int, channels: tuple[int, ...] | None, count: int | None) -> _Block:
    steps = maps.values.shape[1]
    most = count or (_OVER_TIME if steps > 1 else _MANY if layers == 1 else _SOME)
    chosen = maps.strongest(most) if channels is None else maps.chosen(channels)
    drawn = [int(step) for step in np.linspace(0, steps - 1, min(steps, _MOST_STEPS)).round()]
    strips = max(1, _COLUMNS // len(drawn))
    columns = max(_COLUMNS, len(drawn))
    width = (_WIDTH_IN - 2 * MARGIN_IN - _PICTURE_IN - 0.4 - (columns - 1) * _GAP_IN) / columns
    return _Block(maps, chosen, strips, (width * maps.values.shape[2] / maps.values.shape[3], width), drawn)
