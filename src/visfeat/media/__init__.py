"""Media: items and their URIs, finding them, telling their kind by content, hashing."""

from __future__ import annotations

from visfeat.media.find import find_media, read_list
from visfeat.media.item import Kind, MediaItem, path_of, uri_of
from visfeat.media.read import identify
from visfeat.media.sniff import sniff

__all__ = ["Kind", "MediaItem", "find_media", "identify", "path_of", "read_list", "sniff", "uri_of"]
