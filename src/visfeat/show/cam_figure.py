"""A class map as a figure: what was looked at, and the same under the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from visfeat.figure import INK
from visfeat.show.cam import ClassMap
from visfeat.show.heat import COLORS, heated
from visfeat.show.sheet import MARGIN_IN, TOP_IN, Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE_IN, _GAP_IN, _LABEL_IN = 4.2, 0.2, 0.26
_CLIP_WIDTH_IN, _MOST_FRAMES = 13.0, 8


def draw_class_map(found: ClassMap, *, model: str) -> Figure:
    """Draw a picture and its class map side by side, of a clip the frames above their maps; raises MissingExtra."""
    share = found.asked.probability
    percent = f"{share:.1%}" if share >= 0.01 else f"{100 * share:.2g}%"
    title = f"{found.asked.name.partition(',')[0]}: {percent}"
    subtitle = f"{found.look.title}; {model}; {found.how}"
    sheet, top = (_picture if len(found.look.pixels) == 1 else _clip)(found, title, subtitle)
    least = "nothing speaks for it" if found.heat.max() <= 0 else "nothing"
    sheet.scale(MARGIN_IN, top, least, "speaks most for it", colors=COLORS, width=2.2)
    return sheet.figure


def _picture(found: ClassMap, title: str, subtitle: str) -> tuple[Sheet, float]:
    shown = found.look.pictures
    height = _SIDE_IN * shown.shape[1] / shown.shape[2]
    sheet = Sheet(2 * MARGIN_IN + 2 * _SIDE_IN + _GAP_IN, TOP_IN + height + 0.65, title, subtitle)
    sheet.picture(shown[0], (MARGIN_IN, TOP_IN, _SIDE_IN, height))
    box = (MARGIN_IN + _SIDE_IN + _GAP_IN, TOP_IN, _SIDE_IN, height)
    sheet.picture(heated(shown, found.heat)[0], box)
    return sheet, TOP_IN + height + 0.15


def _clip(found: ClassMap, title: str, subtitle: str) -> tuple[Sheet, float]:
    """Frames from left to right."""
    shown, hot = found.look.pictures, heated(found.look.pictures, found.heat)
    frames = np.linspace(0, len(shown) - 1, min(len(shown), _MOST_FRAMES)).round().astype(int)
    width = (_CLIP_WIDTH_IN - 2 * MARGIN_IN + 0.06) / len(frames) - 0.06
    height = width * shown.shape[1] / shown.shape[2]
    bottom = TOP_IN + _LABEL_IN + 2 * (height + 0.06)
    sheet = Sheet(_CLIP_WIDTH_IN, bottom + 0.6, title, subtitle)
    for column, frame in enumerate(frames):
        left = MARGIN_IN + column * (width + 0.06)
        sheet.words(left, TOP_IN + _LABEL_IN / 2, f"frame {frame}", size=8, color=INK)
        for row, pictures in enumerate((shown, hot)):
            sheet.picture(pictures[frame], (left, TOP_IN + _LABEL_IN + row * (height + 0.06), width, height))
    return sheet, bottom + 0.1
