"""A sheet to draw on, measured in inches from its upper left corner: pictures, words, scales."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visfeat.figure import FAINT, INK, PALE, new_figure, printable, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARGIN_IN = 0.3
TOP_IN = 0.85
"""Where the space below title and subtitle begins."""
SEQUENTIAL = "viridis"
"""Of values from small to large: as bright as large, also for the color-blind and in gray."""

Image = NDArray[Any]
Box = tuple[float, float, float, float]
"""Left, top, width, height."""


class Sheet:
    """One figure with one pair of axes that fills it."""

    def __init__(self, width_in: float, height_in: float, title: str, subtitle: str) -> None:
        """An empty sheet with its title; raises MissingExtra without matplotlib."""
        self.figure: Figure = new_figure(width_in, height_in)
        self._axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.axis("off")
        self._fit(width_in, height_in)
        self.words(MARGIN_IN, 0.3, shortened(title, int(width_in * 8)), size=14, color=INK, bold=True)
        self.words(MARGIN_IN, 0.57, shortened(subtitle, int(width_in * 15)))

    def _fit(self, width_in: float, height_in: float) -> None:
        self._axes.set_xlim(0, width_in)
        self._axes.set_ylim(height_in, 0)
        self._axes.set_aspect("auto")
        self._size = width_in, height_in

    def picture(self, image: Image, box: Box, *, low: float = 0.0, high: float = 1.0, colors: str = SEQUENTIAL) -> None:
        """Draw ``(H, W, 3)`` as it is, or floats ``(H, W)`` in colors that go from ``low`` to ``high``."""
        left, top, width, height = box
        # Small maps show their squares; photographs are scaled smoothly.
        how = "nearest" if image.ndim == 2 or image.shape[0] < 40 else "antialiased"
        self._axes.imshow(
            image,
            extent=(left, left + width, top + height, top),
            cmap=colors,
            vmin=low,
            vmax=high if high > low else low + 1,
            interpolation=how,
        )
        self._axes.set_aspect("auto")
        self._fit(*self._size)

    def words(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 9,
        color: str = FAINT,
        bold: bool = False,
        at: str = "left",
    ) -> None:
        """Write one line with its middle at height ``y``, from, around or up to ``x``."""
        weight = "bold" if bold else "normal"
        self._axes.text(
            x, y, printable(text), fontsize=size, color=color, ha=at, va="center", weight=weight, parse_math=False
        )

    def scale(
        self, left: float, top: float, low: str, high: str, *, width: float = 1.6, colors: str = SEQUENTIAL
    ) -> None:
        """A bar of the colors with what their ends mean."""
        self.picture(np.linspace(0, 1, 256)[None], (left, top, width, 0.12), colors=colors)
        self.words(left, top + 0.23, low, size=8)
        self.words(left + width, top + 0.23, high, size=8, at="right")

    def frame(self, box: Box) -> None:
        """A thin line around a picture that may be as white as the sheet."""
        left, top, width, height = box
        x, y = [left, left + width, left + width, left, left], [top, top, top + height, top + height, top]
        self._axes.plot(x, y, color=PALE, linewidth=0.6)

    def line(self, left: float, top: float, right: float) -> None:
        """A faint line across."""
        self._axes.plot([left, right], [top, top], color=PALE, linewidth=0.8)
