"""When a picture was taken or a video made, by its own word."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from visfeat.media.item import Kind, path_of

_EXIF_IFD, _DATE_TIME_ORIGINAL = 0x8769, 0x9003
_EXIF_DATE = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)")


def taken_at_s(uri: str, kind: str | None) -> float | None:
    """Seconds since 1970 of EXIF's DateTimeOriginal, or of the container's creation time; None where neither says it.

    EXIF names no time zone: its clock is taken for UTC. A file that cannot be read says nothing.
    """
    path = Path(path_of(uri))
    return _of_video(path) if kind == Kind.VIDEO else _of_picture(path)


def _of_picture(path: Path) -> float | None:
    from PIL import Image

    try:
        if path.suffix.lower() in {".heic", ".heif", ".hif"}:
            from pillow_heif import open_heif

            image = open_heif(path).to_pillow()
        else:
            image = Image.open(path)
        with image:
            said = image.getexif().get_ifd(_EXIF_IFD).get(_DATE_TIME_ORIGINAL)
    except Exception:  # noqa: BLE001 (the boundary to decoders that raise anything on damaged input)
        return None
    return exif_time_s(str(said or ""))


def exif_time_s(text: str) -> float | None:
    """EXIF's way to write a time, as seconds since 1970.

    >>> exif_time_s("2001:02:03 04:05:06")
    981173106.0
    """
    found = _EXIF_DATE.match(text)
    try:
        return datetime(*map(int, found.groups()), tzinfo=UTC).timestamp() if found else None  # type: ignore[misc,arg-type]
    except ValueError:
        return None


def _of_video(path: Path) -> float | None:
    import av

    try:
        with av.open(str(path), metadata_errors="replace") as container:
            said = container.metadata.get("creation_time") or ""
    except (OSError, ValueError):
        return None
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
