"""MediaItem: one file (later: member of an archive, remote object) by its URI.

A URI is the absolute path where that is valid UTF-8, and a percent-encoded ``file://`` URI where it is not,
so that every URI is text, goes through any table or export, and leads back to the very bytes of the name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote_from_bytes, unquote_to_bytes


class Kind(StrEnum):
    """What a file holds, decided by its content."""

    IMAGE = "image"
    VIDEO = "video"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class MediaItem:
    """One file as it was found: identity, size and modification time; the rest once its content was read.

    ``format`` is the container or image format by content ("jpeg", "png", "mp4", ...), "" before sniffing.
    ``content_hash`` is the hex BLAKE2b-128 of the whole content, "" before reading.
    """

    uri: str
    size_bytes: int
    mtime_ns: int
    kind: Kind | None = None
    format: str = ""
    content_hash: str = ""

    @property
    def path(self) -> str:
        """The local path, as the operating system takes it (undecodable bytes as surrogates)."""
        return path_of(self.uri)


def uri_of(path: str | os.PathLike[str]) -> str:
    """The URI of a local path: the absolute path, or ``file://`` with percent codes where its name is no UTF-8."""
    absolute = os.path.abspath(os.fspath(path))
    try:
        absolute.encode("utf-8")
    except UnicodeEncodeError:
        return "file://" + quote_from_bytes(os.fsencode(absolute), safe="/")
    return absolute


def path_of(uri: str) -> str:
    """The local path behind a URI made by ``uri_of``."""
    if uri.startswith("file://"):
        return os.fsdecode(unquote_to_bytes(uri.removeprefix("file://")))
    return uri
