"""The timeline of a video: its shots with pictures, its motion, and how like a query each moment is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visfeat.durations import moment
from visfeat.errors import UsageError, naming
from visfeat.figure import ACCENT, CURVE, FAINT, INK, PALE, new_figure, printable, shortened
from visfeat.media.item import uri_of
from visfeat.plot.clock import check_moment, clock
from visfeat.plot.features import Choice, VideoRows, identified, rows_of
from visfeat.plot.panels import counted, headline, shot_bars, tidy, time_axis
from visfeat.plot.series import Floats, binned, ceiling, edges_s, row_at
from visfeat.plot.thumbnails import Span, slots
from visfeat.plot.watch import Seen, known_shots, watch
from visfeat.search import cosines
from visfeat.show.thumbnail import thumbnail

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH_IN = 14.0
_LEFT_IN, _RIGHT_IN, _TOP_IN, _BOTTOM_IN = 0.95, 0.3, 0.8, 0.55
_QUERY_IN, _QUERY_PX = 2.0, (320, 240)
_GAP_IN = 0.28
_THUMBNAIL_IN, _BAR_IN, _STRIP_IN, _CURVE_IN = 0.95, 0.26, 1.4, 1.35
"""Heights: of a picture, of the bar of shots, of both with the lines between them, of a curve."""
_WIDEST_IN, _BETWEEN_IN = 1.75, 0.06
_NUMBER_IN = 0.3
_MOST_POINTS = 1400
_MOST_LINES = 60
_LEAST_RANGE = 0.2
"""Of an axis of cosines: what differs by less than this is to look alike."""


@dataclass(frozen=True)
class Similarity:
    """How like the query each row is."""

    rows: VideoRows
    edges: Floats
    cosine: NDArray[np.float32]
    picture: NDArray[np.uint8]
    name: str
    at_s: float | None


def timeline(
    video: str | os.PathLike[str],
    *,
    store: str | os.PathLike[str] | None = None,
    recipe: Choice = None,
    layer: str | None = None,
    query: str | os.PathLike[str] | float | None = None,
) -> Figure:
    """Draw the shots of a video with pictures, its motion over time, and its similarity to a query.

    ``query``: an image file, or a moment of the video: seconds, or text such as 12.5s and 1:05. Shots and features
    come from ``store`` where it has them, else they are made now; ``recipe``: a recipe, its file, or the name or
    digest of a stored one; ``layer``: which of several. Raises MediaError that names the file, UsageError,
    StoreError, MissingExtra, and what ``Extractor`` raises.
    """
    figure = new_figure(_WIDTH_IN, 1)
    asked = None if query is None else _asked(query)
    for option, given in (("recipe", recipe), ("layer", layer)):
        if asked is None and given is not None:
            raise UsageError(f"--{option}: says whose features --query is compared with; give --query too")
    item = identified(video)
    with naming(video):
        seen = watch(item, known_shots(store, item))
    similarity = None
    if asked is not None:
        if isinstance(asked, float):
            check_moment(asked, seen.length_s, video=os.path.basename(item.path))
        similarity = _similarity(rows_of(item, store, recipe, layer), seen, asked)
    _draw(figure, os.path.basename(item.path), seen, similarity)
    return figure


def _asked(query: str | os.PathLike[str] | float) -> float | str:
    """A moment in seconds, or the path of an image; raises UsageError for anything else."""
    if not isinstance(query, str | os.PathLike):
        return float(query)
    path = os.fspath(query)
    if os.path.isfile(path):
        return path
    try:
        return float(moment(path))
    except ValueError:
        raise UsageError(f"--query {path}: neither an image file nor a moment such as 12.5s or 1:05") from None


def _similarity(rows: VideoRows, seen: Seen, asked: float | str) -> Similarity:
    edges = edges_s(rows.start_s, rows.end_s, seen.length_s)
    if isinstance(asked, str):
        with naming(asked):
            picture = thumbnail(uri_of(asked), None, _QUERY_PX)
        vector = rows.vector_of(asked)
        return Similarity(rows, edges, cosines(rows.values, vector), np.asarray(picture), os.path.basename(asked), None)
    row = row_at(edges, asked)
    if row is None:
        raise UsageError(f"--query {asked:g}s: no row stands for it; they go from {edges[0]:g} to {edges[-1]:g} s")
    found = seen.gallery.nearest(asked, Span(0.0, seen.length_s))
    assert found is not None  # whoever has rows has frames
    return Similarity(rows, edges, cosines(rows.values, rows.values[row]), found, clock(asked), asked)


def _draw(figure: Figure, name: str, seen: Seen, similarity: Similarity | None) -> None:
    """The panels from top to bottom, all over the same time."""
    panels = [_STRIP_IN, _CURVE_IN] + ([_CURVE_IN] if similarity else [])
    height_in = _TOP_IN + sum(panels) + _GAP_IN * (len(panels) - 1) + _BOTTOM_IN
    figure.set_size_inches(_WIDTH_IN, height_in)
    width_in = _WIDTH_IN - _LEFT_IN - (_QUERY_IN if similarity else _RIGHT_IN)
    axes, top_in = [], height_in - _TOP_IN
    for panel_in in panels:
        box = (_LEFT_IN, top_in - panel_in, width_in, panel_in)
        axes.append(figure.add_axes(_share(box, height_in)))
        top_in -= panel_in + _GAP_IN
    spans = [Span(float(shot.start_s), float(shot.end_s)) for shot in seen.shots]
    _draw_strip(axes[0], spans, seen, width_in)
    _draw_motion(axes[1], seen)
    if similarity is not None:
        _draw_similarity(axes[2], similarity)
        bottom_in = _BOTTOM_IN + 0.1
        box = (_WIDTH_IN - _QUERY_IN + 0.2, bottom_in, _QUERY_IN - 0.4, _CURVE_IN - 0.1)
        _draw_query(figure.add_axes(_share(box, height_in)), similarity)
    for panel in axes[1:]:
        panel.yaxis.set_label_coords(-0.45 / width_in, 0.5)
        for span in spans[1:] if len(spans) <= _MOST_LINES else ():
            panel.axvline(span.start_s, color=PALE, linewidth=0.8, zorder=0)
    for panel in axes:
        time_axis(panel, seen.length_s, labels=panel is axes[-1])
    axes[-1].set_xlabel("time", color=FAINT, fontsize=9)
    headline(figure, name, _subtitle(seen, similarity))


def _share(box_in: tuple[float, float, float, float], height_in: float) -> tuple[float, float, float, float]:
    left, bottom, width, height = box_in
    return left / _WIDTH_IN, bottom / height_in, width / _WIDTH_IN, height / height_in


def _subtitle(seen: Seen, similarity: Similarity | None) -> str:
    parts = [clock(seen.length_s), counted(len(seen.shots), "shot"), counted(len(seen.motion), "frame")]
    if similarity is not None:
        parts.append(f"features: {similarity.rows.title}")
    if seen.problem:
        parts.append(f"incomplete: {seen.problem}")
    return "   ·   ".join(parts)


def _draw_strip(axes: Axes, spans: Sequence[Span], seen: Seen, width_in: float) -> None:
    """Pictures above the bars of their shots; y counts inches from the bottom."""
    scale_s = seen.length_s / width_in
    picture_in, high_in = _fitted(seen.gallery.shape)
    shot_bars(axes, spans, thickness=_BAR_IN)
    for number, span in enumerate(spans, 1):
        if (span.end_s - span.start_s) / scale_s > _NUMBER_IN:
            middle = (span.start_s + span.end_s) / 2
            color = "white" if number % 2 else INK
            axes.text(middle, _BAR_IN / 2, str(number), ha="center", va="center", fontsize=8, color=color)
    bottom, last = _STRIP_IN - _THUMBNAIL_IN, None
    for slot in slots(spans, (picture_in + _BETWEEN_IN) * scale_s, seen.length_s):
        picture = seen.gallery.nearest(slot.moment_s, spans[slot.shot])
        if picture is None or picture is last:
            continue  # a shot of few frames
        last = picture
        half = picture_in * scale_s / 2
        extent = (slot.middle_s - half, slot.middle_s + half, bottom, bottom + high_in)
        axes.imshow(picture, extent=extent, aspect="auto")
        axes.plot([slot.middle_s, slot.moment_s], [bottom, _BAR_IN], color=FAINT, linewidth=0.8)
    axes.set_ylim(0, _STRIP_IN)
    axes.set_ylabel("shots", color=FAINT, fontsize=9, y=_BAR_IN / 2 / _STRIP_IN, rotation=0, ha="right", va="center")
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0)


def _fitted(shape: tuple[int, ...]) -> tuple[float, float]:
    """Width and height in inches of pictures of a shape, as large as the strip lets them be."""
    height, width = shape[:2]
    scale = min(_THUMBNAIL_IN / height, _WIDEST_IN / width)
    return width * scale, height * scale


def _draw_motion(axes: Axes, seen: Seen) -> None:
    """Mean motion, and the largest behind it where a part has several frames."""
    curve = binned(seen.frame_start_s, seen.motion, seen.length_s, _MOST_POINTS)
    if curve.largest is not curve.mean:
        axes.stairs(curve.largest, curve.edges_s, fill=True, color=CURVE, alpha=0.25, linewidth=0)
    axes.stairs(curve.mean, curve.edges_s, fill=True, color=CURVE, alpha=0.85, linewidth=0)
    axes.set_ylim(0, ceiling(seen.motion, [shot.start_frame for shot in seen.shots]))
    axes.set_ylabel(seen.motion_label, color=FAINT, fontsize=8.5)
    tidy(axes)


def _draw_similarity(axes: Axes, similarity: Similarity) -> None:
    axes.stairs(similarity.cosine, similarity.edges, color=ACCENT, linewidth=1.3, baseline=None)
    low, high = float(similarity.cosine.min()), float(similarity.cosine.max())
    spare = max(0.05 * (high - low), (_LEAST_RANGE - (high - low)) / 2)
    axes.set_ylim(low - spare, high + spare)
    if similarity.at_s is not None:
        axes.axvline(similarity.at_s, color=ACCENT, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_ylabel("similarity to\nthe query (cosine)", color=FAINT, fontsize=8.5)
    tidy(axes)


def _draw_query(axes: Axes, similarity: Similarity) -> None:
    axes.imshow(similarity.picture)
    axes.set_anchor("N")
    axes.axis("off")
    what = "query" if similarity.at_s is None else "query: the moment"
    caption = f"{what}\n{shortened(printable(similarity.name), 26)}"
    axes.text(0, -0.04, caption, transform=axes.transAxes, va="top", fontsize=9, color=ACCENT, parse_math=False)
