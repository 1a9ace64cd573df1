"""Flow as a picture: the frame with arrows, beside it each pixel's motion as a color, and the wheel of colors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from visfeat.errors import StoreError
from visfeat.flow.color_wheel import colored, legend
from visfeat.flow.field import Flow, Picture
from visfeat.show.flow import FlowMoment

_PAPER, _INK, _FAINT = (255, 255, 255), (28, 30, 33), (110, 116, 124)
_ARROW, _EDGE = (255, 236, 64), (20, 20, 20)
_GAP_PX, _MARGIN_PX, _LINE_PX, _TEXT_PX = 12, 16, 20, 14
_WORDS_PX = 720
"""The least width of a sheet: the words below are as long, however narrow the video is."""
_SPACING_PX = 24
"""From arrow to arrow; the longest ones are as long."""
_SHORTEST_PX = 1.5
_COS, _SIN = 0.82, 0.57
"""Of the angle between an arrow's shaft and its barbs."""
_LEGEND_SHARE = 0.25
_FINER = 2
"""Arrows are drawn so many times larger and shrunk, which smooths their edges."""


def flow_picture(moment: FlowMoment, *, title: str = "", longest_px: float | None = None) -> Image.Image:
    """One moment as a picture: arrows left, colors right, three lines of words below, which always have their room.

    ``longest_px``: the length that has full color and the longest arrow, in pixels of the moment's picture.
    """
    scale = max(longest_px or moment.longest_px, 1e-3)
    height, width = moment.picture.shape[:2]
    wide = max(2 * (_MARGIN_PX + width) + _GAP_PX, _WORDS_PX)
    # Encoders want even sides.
    sheet = Image.new("RGB", (wide // 2 * 2, (_MARGIN_PX + height + 3 * _LINE_PX + 8) // 2 * 2), _PAPER)
    sheet.paste(with_arrows(moment.picture, moment.flow, scale), (_MARGIN_PX, _MARGIN_PX))
    sheet.paste(_with_legend(colored(moment.flow, longest_px=scale)), (_MARGIN_PX + width + _GAP_PX, _MARGIN_PX))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT_PX)
    top, right = _MARGIN_PX + height + 6, sheet.width - _MARGIN_PX
    full = f"full color: {scale * moment.enlarged:.2f} px a frame"
    draw.text((right, top), full, _FAINT, font, anchor="ra")
    room = right - _MARGIN_PX - _GAP_PX - font.getlength(full)
    draw.text((_MARGIN_PX, top), _shortened(title, font, room), _INK, font)
    for number, line in enumerate(moment.lines, 1):
        draw.text((_MARGIN_PX, top + number * _LINE_PX), line, _FAINT, font)
    return sheet


def _shortened(title: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, room_px: float) -> str:
    """The title, without its middle where there is no room for it."""
    kept = len(title)
    while kept > 2 and font.getlength(_ends(title, kept)) > room_px:
        kept -= 1
    return _ends(title, kept)


def _ends(title: str, kept: int) -> str:
    return title if kept >= len(title) else f"{title[: kept // 2]}...{title[len(title) - (kept + 1) // 2 :]}"


def with_arrows(picture: Picture, flow: Flow, longest_px: float) -> Image.Image:
    """The picture with an arrow every 24 pixels, in the direction of the flow; ``longest_px`` is drawn as 24 long."""
    height, width = picture.shape[:2]
    image = Image.fromarray(picture).resize((width * _FINER, height * _FINER), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(image)
    gain = _SPACING_PX / longest_px
    for y in range(_SPACING_PX // 2, height, _SPACING_PX):
        for x in range(_SPACING_PX // 2, width, _SPACING_PX):
            vector = flow[y, x] * gain
            length = float(np.hypot(*vector))
            if length > 2 * _SPACING_PX:
                vector = vector * (2 * _SPACING_PX / length)
            _arrow(draw, (x, y), vector)
    return image.resize((width, height), Image.Resampling.BOX)


def _arrow(draw: ImageDraw.ImageDraw, start: tuple[int, int], vector: Flow) -> None:
    """A shaft and two barbs, light on a dark edge; a point where there is hardly any motion."""
    x, y = (coordinate * _FINER for coordinate in start)
    dx, dy = (float(part) * _FINER for part in vector)
    length = float(np.hypot(dx, dy))
    if length < _SHORTEST_PX * _FINER:
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=_ARROW, outline=_EDGE)
        return
    tip = (x + dx, y + dy)
    barb = min(0.4 * length, 6.0 * _FINER) / length
    turns = ((_COS, _SIN), (_COS, -_SIN))
    sides = [(tip[0] - barb * (dx * c - dy * s), tip[1] - barb * (dx * s + dy * c)) for c, s in turns]
    for color, thick in ((_EDGE, 3 * _FINER), (_ARROW, _FINER + 1)):
        draw.line((x, y, *tip), fill=color, width=thick)
        for side in sides:
            draw.line((*tip, *side), fill=color, width=thick)


def _with_legend(colors: Picture) -> Image.Image:
    """The colors with the wheel in the lower right corner."""
    image = Image.fromarray(colors)
    size = max(16, int(_LEGEND_SHARE * min(image.size)))
    corner = (image.width - size - 8, image.height - size - 8)
    disk = Image.new("L", (4 * size, 4 * size), 0)
    ImageDraw.Draw(disk).ellipse((0, 0, 4 * size - 1, 4 * size - 1), fill=255)
    image.paste(Image.fromarray(legend(size)), corner, disk.resize((size, size), Image.Resampling.BOX))
    ImageDraw.Draw(image).ellipse((*corner, corner[0] + size - 1, corner[1] + size - 1), outline=_INK)
    return image


def flow_sheet(moments: Sequence[FlowMoment], *, title: str, longest_px: float | None = None) -> Image.Image:
    """Several moments below one another, all in one scale."""
    scale = longest_px or max(moment.longest_px for moment in moments)
    parts = [flow_picture(moment, title="" if n else title, longest_px=scale) for n, moment in enumerate(moments)]
    sheet = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)), _PAPER)
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


def save_picture(picture: Image.Image, path: str | os.PathLike[str]) -> Path:
    """Write a PNG; raises StoreError where the file cannot be written."""
    target = Path(path)
    try:
        picture.save(target, format="PNG")
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def save_video(moments: Iterable[FlowMoment], path: str | os.PathLike[str], *, longest_px: float | None = None) -> Path:
    """Write the moments as an H.264 video at their own times; raises StoreError where it cannot be written.

    What was there stays until the video is whole. Without ``longest_px`` full color is 3% of the picture's width a
    frame, the same all along.
    """
    target, base = Path(path), Fraction(1, 90_000)
    scratch = target.with_name(f".{target.name}.part")
    try:
        with av.open(str(scratch), "w", format="mp4") as container:
            stream = container.add_stream("libx264", options={"crf": "18"})
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = base
            first_s: float | None = None
            for moment in moments:
                drawn = flow_picture(moment, longest_px=longest_px or 0.03 * moment.picture.shape[1])
                if first_s is None:
                    first_s, (stream.width, stream.height) = moment.start_s, drawn.size
                frame = av.VideoFrame.from_ndarray(np.asarray(drawn), format="rgb24")
                frame.pts, frame.time_base = round((moment.start_s - first_s) / base), base
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        scratch.replace(target)
    except (OSError, av.FFmpegError) as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror or error})") from error
    finally:
        # Half a video, because the other one is damaged or the user has seen enough.
        scratch.unlink(missing_ok=True)
    return target
