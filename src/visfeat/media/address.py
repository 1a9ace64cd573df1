"""Addresses of live sources: standard input, a camera's device file, a URL; without their secrets where shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

STDIN = "-"
SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "rtp", "tcp", "srt")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^:]*)(:\d*)?")


@dataclass(frozen=True, slots=True)
class LiveAddress:
    """A source without an end: standard input, a camera's device file, or a network address."""

    source: str
    kind: Literal["pipe", "device", "network"]

    @property
    def name(self) -> str:
        """The source as it may be shown and stored: without user, password, query and values in the path."""
        if self.kind == "pipe":
            return "stdin"
        if self.kind == "device":
            return self.source
        parts = urlsplit(self.source)
        host = parts.netloc.rpartition("@")[2]
        if not _HOST.fullmatch(host):
            return f"{parts.scheme}://..."  # a password with a slash in it would end up as part of the path
        return urlunsplit((parts.scheme, host, re.sub(r"=[^/]*", "=...", parts.path), "", ""))


def live_address(source: str) -> LiveAddress | None:
    """The address where ``-``, ``/dev/video0`` or a URL such as ``rtsp://...`` is meant; None for files and folders."""
    if source == STDIN:
        return LiveAddress(source, "pipe")
    if re.fullmatch(r"/dev/video\d+", source):
        return LiveAddress(source, "device")
    scheme, colon, _ = source.partition("://")
    return LiveAddress(source, "network") if colon and scheme.lower() in SCHEMES else None
