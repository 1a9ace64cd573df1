"""A map as one HTML file that needs no other: pan, zoom, and pictures under the pointer."""

from __future__ import annotations

import base64
import html
import io
import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from visfeat.errors import StoreError
from visfeat.maps.picture import COLORS, window
from visfeat.maps.points import ShownPoints, spread
from visfeat.media.item import path_of
from visfeat.show.thumbnails import thumbnails

MOST_PICTURES = 2000
MOST_PICTURE_BYTES = 12 * 2**20
"""Of all pictures in a page together, as text."""
_PICTURE_PX = (96, 96)
_QUALITY = 72


def save_page(points: ShownPoints, path: str | os.PathLike[str], *, most_pictures: int = MOST_PICTURES) -> Path:
    """Write the page; raises StoreError where it cannot be written.

    At most ``most_pictures`` points, spread over the whole map, have their picture inside, and no more than 12 MB of
    them; of the others the page tells the name.
    """
    target = Path(path)
    pictures = _pictures(points, most_pictures)
    data = json.dumps(_data(points, pictures), separators=(",", ":"), allow_nan=False)
    # Inside <script> a "<" could end it, whatever a file is called.
    data = data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    own = files("visfeat.maps")
    page = (own / "page.html").read_text("utf-8")
    for mark, text in (
        ("{{title}}", html.escape(points.title)),
        ("{{style}}", (own / "page.css").read_text("utf-8")),
        ("{{script}}", (own / "page.js").read_text("utf-8")),
        ("{{data}}", data),  # the last one: a name may hold any mark
    ):
        page = page.replace(mark, text, 1)
    try:
        target.write_text(page, "utf-8", errors="replace")
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def _data(points: ShownPoints, pictures: dict[int, str]) -> dict[str, Any]:
    """What the script draws: coordinates from 0 to 10,000 with y downwards, and the files by number."""
    middle, sides = window(points.xy)
    scaled = (points.xy - middle) / sides * 10_000 + 5000
    used, item = np.unique(points.item, return_inverse=True)
    uris = [points.uris[one] for one in used]
    return {
        "title": points.title,
        "subtitle": points.subtitle,
        "x": np.round(scaled[:, 0]).astype(int).tolist(),
        "y": np.round(10_000 - scaled[:, 1]).astype(int).tolist(),
        "item": item.tolist(),
        "time": [None if np.isnan(one) else round(one, 3) for one in points.start_s.tolist()],
        "group": points.group.tolist(),
        "groups": list(points.groups),
        "colors": list(COLORS),
        "names": [os.path.basename(path_of(uri)) or uri for uri in map(_sayable, uris)],
        "links": [_link(uri) for uri in uris],
        "pictures": {str(index): data for index, data in sorted(pictures.items())},
    }


def _pictures(points: ShownPoints, most: int) -> dict[int, str]:
    """Point -> JPEG in base64, of as many points as there is room for."""
    chosen = spread(points.xy, most)
    found: dict[int, str] = {}
    room = MOST_PICTURE_BYTES
    for number, picture in thumbnails([points.moment(int(index)) for index in chosen], _PICTURE_PX):
        data = _encoded(picture)
        room -= len(data)
        if room < 0:
            break
        found[int(chosen[number])] = data
    return found


def _encoded(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=_QUALITY)
    return base64.b64encode(buffer.getvalue()).decode()


def _sayable(uri: str) -> str:
    """The URI as text that UTF-8 can hold."""
    return path_of(uri).encode("utf-8", "replace").decode() if uri.startswith("file://") else uri


def _link(uri: str) -> str:
    """Where a click on the name leads: the local file; nowhere for what is none."""
    local = Path(path_of(uri))
    return local.as_uri() if local.is_absolute() else ""
