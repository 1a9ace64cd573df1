"""The folder of a store: its marker file, what may be opened, what a killed writer left behind."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

from visfeat.errors import StoreError

MARKER = "visfeat-store.json"
"""Its presence makes a folder a store."""

FORMAT_VERSION = 1
_READABLE_SINCE = "0.1.0"
"""The first visfeat that reads FORMAT_VERSION; a store says it, so that an older visfeat can tell its user."""

_LEFTOVER_AGE_S = 3600


def prepare(path: Path) -> None:
    """Make the folder a store where it is missing or empty; raises StoreError where it holds anything else."""
    if (path / MARKER).is_file():
        check(path)
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
        others = [name for name in os.listdir(path) if not name.startswith(f".{MARKER}")]
        if others:
            raise StoreError(
                f"{path}: not a visfeat store, and not empty (it holds {sorted(others)[0]!r}); "
                "choose another folder for the store"
            )
        _write_marker(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot become a store ({error.strerror or error})") from None


def check(path: Path) -> None:
    """Raise StoreError where the folder is no store, or one of a newer format."""
    marker = path / MARKER
    if not path.exists():
        raise StoreError(f"{path}: no such store; visfeat extract FOLDER --store {path} makes one")
    if not marker.is_file():
        raise StoreError(f"{path}: not a visfeat store (it has no {MARKER}); visfeat extract --store makes one")
    try:
        data = json.loads(marker.read_text("utf-8"))
        version, since = int(data["format_version"]), str(data["readable_since"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{marker}: damaged ({error}); restore it from a copy of the store") from None
    if version > FORMAT_VERSION:
        raise StoreError(
            f"{path}: a store of format {version}, which visfeat {since} and later read; "
            f"this one reads up to format {FORMAT_VERSION}: pip install -U visfeat"
        )


def _write_marker(path: Path) -> None:
    """The marker appears whole or not at all."""
    data = {"format": "visfeat store", "format_version": FORMAT_VERSION, "readable_since": _READABLE_SINCE}
    handle, scratch = tempfile.mkstemp(dir=path, prefix=f".{MARKER}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(json.dumps(data, indent=2) + "\n")
    os.chmod(scratch, 0o644)
    os.replace(scratch, path / MARKER)


def clean_leftovers(path: Path) -> None:
    """Remove temporary files that a killed writer left; younger ones may belong to a living one."""
    oldest_kept_s = time.time() - _LEFTOVER_AGE_S
    for pattern in ("*.lance/*/.tmp*", f".{MARKER}.*"):
        for leftover in path.glob(pattern):
            try:
                if leftover.is_file() and leftover.stat().st_mtime < oldest_kept_s:
                    leftover.unlink()
            except OSError:
                continue  # another process was faster, or may not: nothing depends on it


def size_on_disk_bytes(path: Path) -> int:
    """Bytes of all files of the store."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except FileNotFoundError:
                continue  # a writer cleaned up meanwhile
    return total
