"""A contact sheet as one HTML file: sections of pictures, each with its name, its time and a line, all inside."""

from __future__ import annotations

import base64
import html
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from visfeat.errors import MediaError, StoreError
from visfeat.media.item import path_of
from visfeat.show.contact_sheet import Tile
from visfeat.show.thumbnail import thumbnail
from visfeat.show.thumbnails import thumbnails

Moments = dict[tuple[str, float], Image.Image]
"""URI and moment -> picture."""

_PICTURE_PX = (320, 240)
_QUALITY = 82
_STYLE = """
:root { color-scheme: light dark; --faint: #6e747c; --frame: #f1f2f4; --accent: #cb4b16; }
@media (prefers-color-scheme: dark) { :root { --frame: #26292d; --faint: #9aa0a8; } }
body { font: 15px/1.4 system-ui, sans-serif; margin: 28px; }
h1 { font-size: 22px; margin: 0 0 18px; }
h2 { font-size: 17px; margin: 30px 0 4px; }
p { color: var(--faint); margin: 0 0 12px; max-width: 60em; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 20px; margin-top: 12px; }
figure { margin: 0; min-width: 0; }
.picture { height: 174px; background: var(--frame); display: flex; align-items: center; justify-content: center; }
.picture img { max-width: 100%; max-height: 100%; }
.picture span { color: var(--faint); padding: 10px; overflow-wrap: anywhere; }
.query .picture { outline: 4px solid var(--accent); }
figcaption { margin-top: 8px; overflow-wrap: anywhere; }
figcaption small { display: block; font-size: 14px; color: var(--faint); }
.query small { color: var(--accent); }
a { color: inherit; text-decoration: none; }
a:hover { text-decoration: underline; }
"""


@dataclass(frozen=True, slots=True)
class Section:
    """Pictures that belong together, under a title; ``note`` says more about them."""

    title: str
    tiles: Sequence[Tile]
    note: str = ""


def save_html_sheet(path: str | os.PathLike[str], sections: Sequence[Section], *, title: str) -> Path:
    """Write the sections as one file that needs no other; raises StoreError where it cannot be written.

    A picture that cannot be read becomes an empty frame that says why. A local file's name leads to the file, that of a
    video to the moment.
    """
    target = Path(path)
    try:
        with target.open("w", encoding="utf-8", errors="replace") as file:
            file.write(f"<!doctype html>\n<html lang='en'>\n<meta charset='utf-8'>\n<title>{_text(title)}</title>\n")
            file.write("<meta name='viewport' content='width=device-width, initial-scale=1'>\n")
            file.write(f"<style>{_STYLE}</style>\n<h1>{_text(title)}</h1>\n")
            for section in sections:
                _write_section(file, section)
            file.write("</html>\n")
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def _write_section(file: io.TextIOBase, section: Section) -> None:
    """Picture after picture, so that a long sheet needs little memory; a video is decoded once for all its moments."""
    file.write(f"<section>\n<h2>{_text(section.title)}</h2>\n")
    if section.note:
        file.write(f"<p>{_text(section.note)}</p>\n")
    file.write("<div class='tiles'>\n")
    moments = _moments(section.tiles)
    for tile in section.tiles:
        file.write(_figure(tile, moments))
    file.write("</div>\n</section>\n")


def _moments(tiles: Sequence[Tile]) -> Moments:
    """The pictures of the videos that several tiles show."""
    shown = {(tile.uri, tile.at_s) for tile in tiles if tile.at_s is not None and tile.picture is None}
    of_video = Counter(uri for uri, _ in shown)
    several = sorted(moment for moment in shown if of_video[moment[0]] > 1)
    return {several[index]: picture for index, picture in thumbnails(several, _PICTURE_PX)}


def _figure(tile: Tile, moments: Moments) -> str:
    name = _text(os.path.basename(path_of(tile.uri)) or tile.uri)
    address = _address(tile)
    shown = f"<a href='{_text(address)}'>{name}</a>" if address else name
    kind = " class='query'" if tile.is_query else ""
    return (
        f"<figure{kind} title='{_text(tile.uri)}'><div class='picture'>{_picture(tile, moments)}</div>"
        f"<figcaption>{shown}<small>{_text(tile.line)}</small></figcaption></figure>\n"
    )


def _picture(tile: Tile, moments: Moments) -> str:
    """The picture as JPEG inside the page, or why there is none."""
    try:
        known = tile.picture or (None if tile.at_s is None else moments.get((tile.uri, tile.at_s)))
        picture = known or thumbnail(tile.uri, tile.at_s, _PICTURE_PX)
    except MediaError as error:
        return f"<span>{_text(str(error))}</span>"
    small = picture.convert("RGB")
    small.thumbnail(_PICTURE_PX, Image.Resampling.LANCZOS)
    data = io.BytesIO()
    small.save(data, format="JPEG", quality=_QUALITY)
    return f"<img alt='' src='data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}'>"


def _address(tile: Tile) -> str:
    """Where a click leads: the file, at the moment (W3C media fragments); nowhere for what is no local file."""
    local = Path(path_of(tile.uri))
    if not local.is_absolute():
        return ""
    return local.as_uri() + ("" if tile.at_s is None else f"#t={tile.at_s:g}")


def _text(words: str) -> str:
    """Text that may stand in the page or in an attribute; what cannot be shown becomes a question mark."""
    return html.escape("".join(sign if sign.isprintable() else "?" for sign in words), quote=True)
