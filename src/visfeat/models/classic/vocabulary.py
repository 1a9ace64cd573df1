"""What the models of SIFT have learned, in a file of safetensors: one part for the grid, one for keypoints."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from visfeat.errors import ModelError
from visfeat.models.classic.encoding import Floats, Mixture, Residuals, Words
from visfeat.models.classic.sift import DESCRIBE, DIMENSIONS

Arrays = Mapping[str, NDArray[np.floating[Any]]]
Encoder = Callable[[Floats], Floats]

DATA = Path(__file__).parent.parent / "data"
"""Where those of the package lie: ``classic_sift_bow.safetensors``, ...."""

_Shape = tuple[str | int, ...]
_CENTERS: _Shape = ("words", DIMENSIONS)
SHAPES: dict[str, dict[str, _Shape]] = {
    "sift_bow": {"centers": _CENTERS, "idf": ("words",)},
    "sift_vlad": {"centers": _CENTERS},
    "sift_fisher": {
        "mean": (DIMENSIONS,),
        "basis": ("dimensions", DIMENSIONS),
        "weights": ("words",),
        "means": ("words", "dimensions"),
        "sigmas": ("words", "dimensions"),
    },
}
"""Model -> its arrays, as far as their shapes are known. In the file ``grid.`` or ``keypoints.`` stands before each."""
_POSITIVE = ("idf", "weights", "sigmas")
_ENCODERS: dict[str, Callable[..., Encoder]] = {"sift_bow": Words, "sift_vlad": Residuals, "sift_fisher": Mixture}


@dataclass(frozen=True)
class Vocabulary:
    """The arrays of a model, and notes for people: from how many pictures, with which seed."""

    model: str
    """``sift_bow``, ``sift_vlad`` or ``sift_fisher``."""
    arrays: Arrays
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Hex SHA-256 over name, dtype, shape and bytes of every array, in the order of the names."""
        digest = hashlib.sha256(self.model.encode())
        for name, value in sorted(self.arrays.items()):
            digest.update(f"{name} {value.dtype} {value.shape}\n".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        return digest.hexdigest()

    @property
    def words(self) -> int:
        """How many words, centers or Gaussians each of the two parts has."""
        return len(self.arrays["grid.weights" if self.model == "sift_fisher" else "grid.centers"])

    def encoder(self, layer: str) -> Encoder:
        """From descriptors float32 ``(N, 128)`` to a vector; ``layer`` is ``grid`` or ``keypoints``."""
        parts = {name: self.arrays[f"{layer}.{name}"].astype(np.float64) for name in SHAPES[self.model]}
        return _ENCODERS[self.model](**parts)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file; it appears whole or not at all."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: np.ascontiguousarray(value) for name, value in self.arrays.items()}
        data = save(arrays, metadata={**self.notes, "model": f"classic/{self.model}"})
        handle, scratch = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(scratch, 0o644)
            os.replace(scratch, target)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise


def bundled_path(model: str) -> Path:
    """Where the vocabulary lies that comes with the package."""
    return DATA / f"classic_{model}.safetensors"


def load_vocabulary(path: str | os.PathLike[str], model: str) -> Vocabulary:
    """Read a file for a model; raises ModelError where it is missing, damaged, or made for another model."""
    subject = f"vocabulary {os.fspath(path)}"
    remedy = f"visfeat vocabulary MEDIA --model classic/{model} --out FILE makes one"
    try:
        with safe_open(path, framework="numpy") as file:
            notes = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    except FileNotFoundError:
        raise ModelError(f"{subject}: no such file; {remedy}") from None
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        raise ModelError(f"{subject}: not a file of safetensors or damaged ({error}); {remedy}") from None
    made_for = notes.pop("model", f"classic/{model}")
    if made_for != f"classic/{model}":
        raise ModelError(f"{subject}: was made for {made_for}, not for classic/{model}; {remedy}")
    problem = _problem(arrays, model)
    if problem:
        raise ModelError(f"{subject}: {problem}; {remedy}")
    return Vocabulary(model, arrays, notes)


def _problem(arrays: Arrays, model: str) -> str:
    """What keeps the arrays from being a model's; empty where nothing does."""
    for layer in DESCRIBE:
        sizes: dict[str, int] = {}
        for name, shape in SHAPES[model].items():
            full = f"{layer}.{name}"
            if full not in arrays:
                return f"there is no {full}"
            value = arrays[full]
            if not _fits(value.shape, shape, sizes):
                wanted = ", ".join(str(sizes.get(side, side) if isinstance(side, str) else side) for side in shape)
                return f"{full} has the shape {value.shape}, not ({wanted})"
            if not np.issubdtype(value.dtype, np.floating) or not np.isfinite(value).all():
                return f"{full} ({value.dtype}) does not hold finite numbers"
            if name in _POSITIVE and value.min() <= 0:
                return f"{full} must be more than 0"
    return ""


def _fits(found: tuple[int, ...], wanted: _Shape, sizes: dict[str, int]) -> bool:
    """Whether a shape is as wanted; sizes that are only named must be the same wherever the name stands."""
    if len(found) != len(wanted) or 0 in found:
        return False
    pairs = zip(found, wanted, strict=True)
    return all(size == (sizes.setdefault(side, size) if isinstance(side, str) else side) for size, side in pairs)
