"""A page with a picture of every shot: one HTML file that needs no other."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from html import escape
from pathlib import Path

from PIL import Image

from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.open import open_decoder
from visfeat.errors import MediaError, StoreError
from visfeat.sample import on_display
from visfeat.shots.detect import Shot, VideoShots

_BOX_PX = (240, 180)
_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Shots</title><style>
body { font: 15px system-ui, sans-serif; color: #1c1e21; margin: 28px; }
h2 { font-size: 20px; overflow-wrap: anywhere; }
.shots { display: flex; flex-wrap: wrap; gap: 20px; }
figure { margin: 0; width: 240px; }
img { display: block; max-width: 240px; background: #f1f2f4; }
figcaption { color: #6e747c; padding-top: 6px; }
</style></head><body>
"""


def save_sheet(path: str | os.PathLike[str], videos: Sequence[VideoShots], *, stream: int | None = None) -> Path:
    """Write the page; each shot is shown by its middle frame. Raises StoreError where it cannot be written."""
    target = Path(path)
    try:
        with target.open("w", encoding="utf-8") as file:
            file.write(_HEAD)
            for found in videos:
                file.writelines(_section(found, stream))
            file.write("</body></html>\n")
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def _section(found: VideoShots, stream: int | None) -> Iterator[str]:
    """A video's heading and its shots, in one pass over its frames."""
    yield f'<h2>{escape(os.path.basename(found.item.uri))}</h2>\n<div class="shots">\n'
    pictures = _middles(found, stream)
    for number, shot in enumerate(found.shots, 1):
        try:
            picture = next(pictures, None)
        except MediaError:  # it changed or vanished since; the shots are told all the same
            picture = None
        yield _figure(number, shot, picture)
    yield "</div>\n"


def _middles(found: VideoShots, stream: int | None) -> Iterator[Image.Image]:
    """The frame on display in the middle of each shot, shrunk."""
    middles = iter([(shot.start_s + shot.end_s) / 2 for shot in found.shots])
    options = DecodeOptions(stream=stream)
    with closing(open_decoder(found.item, None, options)) as decoder:
        for _, _, frame in on_display(decoder.frames(), middles):
            picture = Image.fromarray(frame.rgb())
            picture.thumbnail(_BOX_PX, Image.Resampling.LANCZOS)
            yield picture


def _figure(number: int, shot: Shot, picture: Image.Image | None) -> str:
    caption = (
        f"{number}: {float(shot.start_s):.2f} to {float(shot.end_s):.2f} s<br>"
        f"frames {shot.start_frame} to {shot.end_frame - 1}, probability {shot.probability:.3f}"
    )
    image = "" if picture is None else f'<img alt="shot {number}" src="{_data_uri(picture)}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>\n"


def _data_uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
