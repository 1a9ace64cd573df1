"""Reading a file once: what it holds, the hash of its content, and an image's content itself."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import replace
from typing import BinaryIO

from visfeat.errors import MediaError, UnsupportedMedia
from visfeat.media.hash import hash_of_bytes, hash_of_file
from visfeat.media.item import Kind, MediaItem, uri_of
from visfeat.media.sniff import HEAD_BYTES, sniff

MAX_IMAGE_BYTES = 1 << 30
"""Larger image files are refused: their whole content is held in memory."""

NEITHER = "neither an image nor a video"

_REASONS = {
    errno.EACCES: "no permission to read it",
    errno.EPERM: "no permission to read it",
    errno.ENOENT: "no such file, or a link that leads nowhere",
    errno.EIO: "the disk could not read it",
    errno.ELOOP: "a link that leads back to itself",
    errno.ENAMETOOLONG: "its name is too long",
}


def identify(item: MediaItem) -> tuple[MediaItem, bytes | None]:
    """Fill in kind, format, content hash, size and time; images come with their whole content.

    Videos are hashed in flat memory and ignored files not at all (their hash stays empty); both come without content.
    Raises MediaError with the reason why the file cannot be used; its message does not repeat the file's name.
    """
    if item.kind is Kind.IGNORED:
        return item, None
    try:
        mode = os.stat(item.path).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a pipe would wait for a writer
            return replace(item, kind=Kind.IGNORED), None
        with open(item.path, "rb") as file:
            return _read(item, file)
    except OSError as error:
        raise MediaError(_reason(item.path, error)) from None
    except ValueError:
        raise MediaError("no file can have this name: it holds a zero byte") from None


def identify_path(path: str | os.PathLike[str]) -> tuple[MediaItem, bytes | None]:
    """The image or video behind a path, as ``identify`` gives it; raises MediaError, also for what is neither."""
    item, content = identify(MediaItem(uri_of(path), size_bytes=0, mtime_ns=0))
    if item.kind is Kind.IGNORED:
        raise UnsupportedMedia(NEITHER)
    return item, content


def _read(item: MediaItem, file: BinaryIO) -> tuple[MediaItem, bytes | None]:
    about = os.fstat(file.fileno())
    head = file.read(HEAD_BYTES)
    kind, format_name = sniff(head, item.path)
    item = replace(item, kind=kind, format=format_name, size_bytes=about.st_size, mtime_ns=about.st_mtime_ns)
    if kind is Kind.VIDEO:
        return replace(item, content_hash=hash_of_file(file)), None
    if kind is Kind.IGNORED:
        return item, None
    if about.st_size > MAX_IMAGE_BYTES:
        raise UnsupportedMedia(f"an image file of {about.st_size:,} bytes; at most {MAX_IMAGE_BYTES:,} are read")
    content = head + file.read(MAX_IMAGE_BYTES)
    return replace(item, content_hash=hash_of_bytes(content)), content


def _reason(path: str, error: OSError) -> str:
    """The operating system's reason, in plain words."""
    if isinstance(error, IsADirectoryError) or os.path.isdir(path):
        return "a folder that cannot be listed"
    return _REASONS.get(error.errno or 0, error.strerror or str(error))
