"""Packed models on disk, so that a zoo's model is converted once and then runs without torch.

The key names what the conversion depends on and is made without importing torch: the model's and the weights' names,
the weights file's size and modification time, the input size, and the versions of the libraries.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from visfeat.card import CARD_VERSION
from visfeat.errors import ModelError
from visfeat.models.packed import SUFFIX, PackedModel
from visfeat.models.source import with_seed

_LIBRARIES = ("torch", "torchvision", "timm", "transformers", "open_clip_torch", "openvino")
_ZOOS = ("timm", "torchvision", "hf", "open_clip", "i3d")
_MODELS = "packed"
PACKING_VERSION = 1
"""Raised when packing the same model comes to give another graph or card."""


def cache_folder() -> Path:
    """$VISFEAT_CACHE, else ``visfeat`` in the platform's folder for caches."""
    chosen = os.environ.get("VISFEAT_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "visfeat" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/visfeat"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "visfeat"


def cache_key(
    model: str, *, weights: str = "pretrained", size_px: int | None = None, clip_frames: int | None = None
) -> str | None:
    """32 hex digits, or None for a model that names and versions do not pin down: your own, or another package's."""
    if model.partition("/")[0] not in _ZOOS:
        return None
    facts: dict[str, object] = {
        "model": model,
        "weights": with_seed(weights),
        "files": _stamps(weights) + _stamps(model.partition("/")[2]),
        "size_px": size_px,
        "versions": {name: _version(name) for name in _LIBRARIES},
        "packing": [PACKING_VERSION, CARD_VERSION],
    }
    if clip_frames is not None:
        facts["clip_frames"] = clip_frames
    text = json.dumps(facts, sort_keys=True)
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def cached(key: str) -> PackedModel | None:
    """The packed model stored under the key; None where there is none, or a damaged one, which is removed."""
    path = _path(key)
    if not path.is_file():
        return None
    try:
        return PackedModel.load(path)
    except ModelError:
        path.unlink(missing_ok=True)
        return None


def store(key: str, packed: PackedModel) -> Path:
    """Keep a packed model; two processes may store the same one at once, the file appears whole."""
    path = _path(key)
    packed.save(path)
    return path


def cache_size_bytes() -> int:
    """Bytes of all that is cached."""
    return sum(path.stat().st_size for path in _cached_files())


def clear_cache() -> int:
    """Remove all that is cached, and nothing else that may lie in the folder; returns the bytes freed."""
    freed = 0
    for path in _cached_files():
        freed += path.stat().st_size
        path.unlink(missing_ok=True)
    return freed


def _cached_files() -> list[Path]:
    return [path for path in (cache_folder() / _MODELS).glob(f"*{SUFFIX}*") if path.is_file()]


def _path(key: str) -> Path:
    return cache_folder() / _MODELS / f"{key}{SUFFIX}"


def _stamps(name: str) -> list[list[str | int]]:
    """Path, size and modification time of a file, or of the files in a folder; nothing where it is neither."""
    path = Path(name).expanduser()
    if not name or not path.exists():
        return []
    files = [path] if path.is_file() else sorted(part for part in path.iterdir() if part.is_file())
    return [[str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
