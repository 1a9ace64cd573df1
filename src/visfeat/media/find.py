"""Finding media: files, folders, globs and lists become items, in the same order every time, without reading them."""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from visfeat.errors import UsageError
from visfeat.media.item import Kind, MediaItem, uri_of

STORE_MARKER = "visfeat-store.json"


def find_media(sources: Sequence[str | os.PathLike[str]], *, listed: Iterable[str] = ()) -> Iterator[MediaItem]:
    """Every file of the sources as an item, each URI once; ``kind`` is None until the file is read.

    A source is a file, a folder (with all below it, by name), or a glob with ``*``, ``?``, ``[...]`` and ``**``; a path
    that exists is taken as it stands, whatever its characters. ``listed`` are further paths, never globs. In folders
    what begins with "." is skipped, a linked folder is entered once, and stores are passed over. What is no regular
    file (a pipe, a socket, a device) is IGNORED and never opened. What cannot be listed or looked at becomes an item
    of 0 bytes, so that reading it fails with a reason instead of leaving no trace.

    Raises UsageError, before the first item, for a source that does not exist, a glob without a match, or a store.
    """
    starts = [path for source in sources for path in _expand(os.fspath(source))]
    return _unique([*starts, *listed])


def read_list(path: str | os.PathLike[str]) -> Iterator[str]:
    """The paths in a file, one a line, "-" for standard input; empty lines are skipped. Raises UsageError."""
    if os.fspath(path) == "-":
        lines = sys.stdin.buffer.read().splitlines()
    else:
        try:
            lines = Path(path).read_bytes().splitlines()
        except OSError as error:
            raise UsageError(f"list {os.fspath(path)}: cannot be read ({error.strerror})") from None
    return (os.fsdecode(line) for line in lines if line.strip())


def is_store(folder: str) -> bool:
    """Whether a folder is a feature store."""
    return os.path.lexists(os.path.join(folder, STORE_MARKER))


def _unique(paths: Iterable[str]) -> Iterator[MediaItem]:
    seen: set[str] = set()
    folders: set[tuple[int, int]] = set()
    for path in paths:
        for item in _items(path, folders):
            if item.uri not in seen:
                seen.add(item.uri)
                yield item


def _expand(source: str) -> list[str]:
    """The paths that a source stands for."""
    if os.path.lexists(source):
        if os.path.isdir(source) and is_store(source.rstrip("/\\")):
            raise UsageError(f"{source} is a feature store, not media: name the folders that hold images and videos")
        return [source]
    if not glob.has_magic(source):
        raise UsageError(f"{source}: no such file or folder")
    found = sorted(_glob(source))
    if not found:
        raise UsageError(f"{source}: nothing matches this pattern")
    return found


def _glob(pattern: str) -> Iterator[str]:
    """Paths that match; what ``**`` stands for is walked here, since the library's own walk runs into link loops."""
    head, deep, tail = pattern.partition("**")
    if not deep or (head and not head.endswith(("/", os.sep))):
        yield from glob.iglob(pattern)
        return
    wanted = Path(tail.lstrip("/" + os.sep)).parts
    for top in glob.iglob(head) if head else (".",):
        for path in _walk(top, set()):
            if not wanted or _matches(Path(os.path.relpath(path, top)).parts, ("**", *wanted)):
                yield path if head else os.path.relpath(path, top)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether path components match a pattern in which ``**`` stands for any number of them."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[skip:], pattern[1:]) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatch(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _items(path: str, folders: set[tuple[int, int]]) -> Iterator[MediaItem]:
    """The items at and below a path."""
    for found in _walk(path, folders) if os.path.isdir(path) else (path,):
        yield _item(found)


def _walk(top: str, entered: set[tuple[int, int]]) -> Iterator[str]:
    """The files below a folder, depth first by name, and the folders that cannot be listed.

    ``entered`` holds device and inode of folders already walked: so links that lead back end there.
    """
    pending = [top]
    while pending:
        path = pending.pop()
        if not os.path.isdir(path):
            yield path
            continue
        try:
            about = os.stat(path)
            if (about.st_dev, about.st_ino) in entered:
                continue
            entered.add((about.st_dev, about.st_ino))
            names = sorted(name for name in os.listdir(path) if not name.startswith("."))
        except OSError:
            yield path
            continue
        if path == top or not is_store(path):
            pending.extend(os.path.join(path, name) for name in reversed(names))


def _item(path: str) -> MediaItem:
    """What the file system says of a path; 0 bytes where it says nothing."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):  # a name with a zero byte is a ValueError
        return MediaItem(uri_of(path), 0, 0)
    if stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode):
        size = 0 if stat.S_ISDIR(about.st_mode) else about.st_size
        return MediaItem(uri_of(path), size, about.st_mtime_ns)
    return MediaItem(uri_of(path), 0, about.st_mtime_ns, kind=Kind.IGNORED)
