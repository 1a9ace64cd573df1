"""What all panels of our figures share: a headline, an axis of time, bars of shots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from visfeat.figure import FAINT, INK, PALE, printable, shortened
from visfeat.plot.clock import clock, ticks_s
from visfeat.plot.thumbnails import Span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOT_COLORS = ("#3f6e96", "#9dbdd8")
"""Of one shot and the next, in turn."""


def headline(figure: Figure, title: str, subtitle: str) -> None:
    """Title and subtitle at the left of the top, 0.3 and 0.55 inches below it."""
    width_in, height_in = figure.get_size_inches()
    title, subtitle = shortened(printable(title), int(width_in * 6)), shortened(printable(subtitle), int(width_in * 11))
    left = 0.17 / width_in
    figure.text(left, 1 - 0.3 / height_in, title, parse_math=False, fontsize=15, fontweight="bold", color=INK)
    figure.text(left, 1 - 0.56 / height_in, subtitle, parse_math=False, fontsize=9.5, color=FAINT)


def counted(number: int, what: str) -> str:
    """So many of something: "1 shot", "2 shots"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def time_axis(axes: Axes, length_s: float, most: int = 14, *, labels: bool = True) -> None:
    """Ticks at round times along x, written as minutes:seconds."""
    ticks = ticks_s(length_s, most)
    axes.set_xlim(0, length_s)
    axes.set_xticks(ticks, [clock(tick) for tick in ticks] if labels else [""] * len(ticks))


def tidy(axes: Axes) -> None:
    """Thin frame, faint ticks, no box."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(PALE)
    axes.tick_params(colors=FAINT, labelsize=8.5, length=3)


def shot_bars(axes: Axes, shots: Sequence[Span], *, thickness: float = 1.0, upright: bool = False) -> None:
    """Shots as bars from 0 to ``thickness`` across, in two colors in turn; ``upright``: time goes along y."""
    from matplotlib.patches import Rectangle

    for number, shot in enumerate(shots):
        start, length = shot.start_s, shot.end_s - shot.start_s
        corner, width, height = ((0.0, start), thickness, length) if upright else ((start, 0.0), length, thickness)
        axes.add_patch(Rectangle(corner, width, height, color=SHOT_COLORS[number % 2], linewidth=0))
