"""What ways of pooling have learned, in files: safetensors, read and written without torch."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from visfeat.errors import ModelError

Weights: TypeAlias = Mapping[str, NDArray[np.floating[Any]]]
"""Arrays by name."""


def read_weights(path: Path) -> dict[str, NDArray[np.floating[Any]]]:
    """All arrays of a file; raises ModelError where it is missing, damaged or holds what NumPy has no type for."""
    try:
        found: dict[str, NDArray[Any]] = load_file(path)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: not a file of safetensors or damaged ({error})") from None
    for name, value in found.items():
        if not np.issubdtype(value.dtype, np.floating) or not np.isfinite(value).all():
            raise ModelError(f"{path}: {name} ({value.dtype}) does not hold finite numbers")
    return found


def keep_weights(path: Path, weights: Weights) -> None:
    """Write a file that appears whole or not at all; where another process was faster, its file stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = save({name: np.ascontiguousarray(value) for name, value in weights.items()})
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(scratch, 0o644)
        _link_once(scratch, path)
    finally:
        Path(scratch).unlink(missing_ok=True)


def _link_once(scratch: str, path: Path) -> None:
    try:
        os.link(scratch, path)
    except FileExistsError:
        return
    except OSError:
        # A file system without links.
        os.replace(scratch, path)


def digest_of(weights_by_layer: Mapping[str, Weights], *, also: str = "") -> str:
    """Hex SHA-256 over layer, name, dtype, shape and bytes of every array, in the order of the names."""
    digest = hashlib.sha256(also.encode())
    for layer, weights in sorted(weights_by_layer.items()):
        for name, value in sorted(weights.items()):
            digest.update(f"{layer} {name} {value.dtype} {value.shape}\n".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()
