"""Vectors to search in: clustered with a falling spectrum, as features of networks are, and random ones.

Features lie near few directions (a falling spectrum: the singular values go as 1 / sqrt(n)), in groups of very
different sizes (Zipf), with more spread inside a group than between near-copies. Random ones (Gaussian) have no
structure at all, so that every index has to look nearly everywhere: the worst case, and not a real one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["clustered", "random"]
KINDS: tuple[Kind, ...] = ("clustered", "random")
_BLOCK_ROWS = 50_000
_ROWS_PER_GROUP = 250
_SPREAD = 0.7
"""Length of what is added inside a group, beside centers of length 1."""


def vectors(kind: Kind, rows: int, width: int, *, seed: int, among: int) -> NDArray[np.float32]:
    """float32 ``(rows, width)`` of unit length; the groups are those of ``among`` rows, whatever the seed."""
    rng = np.random.default_rng(seed)
    found = np.empty((rows, width), np.float32)
    for start in range(0, rows, _BLOCK_ROWS):
        count = min(_BLOCK_ROWS, rows - start)
        block = rng.standard_normal((count, width), np.float32)
        if kind == "clustered":
            block = _clustered(block, rng, max(1, among // _ROWS_PER_GROUP))
        found[start : start + count] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return found


def _clustered(noise: NDArray[np.float32], rng: np.random.Generator, groups: int) -> NDArray[np.float32]:
    count, width = noise.shape
    spectrum = (1 / np.sqrt(np.arange(1, width + 1))).astype(np.float32)
    spectrum /= np.linalg.norm(spectrum)
    centers = np.random.default_rng(1).standard_normal((groups, width), np.float32) * spectrum
    shares = 1 / np.arange(1, groups + 1) ** 0.6
    chosen = rng.choice(groups, count, p=shares / shares.sum())
    made: NDArray[np.float32] = centers[chosen] + _SPREAD * noise * spectrum
    return made


def kept(folder: Path, kind: Kind, rows: int, width: int, *, seed: int) -> Path:
    """The same as a .npy file, made once."""
    path = folder / f"{kind}-{rows}x{width}-{seed}.npy"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part.npy")
        np.save(scratch, vectors(kind, rows, width, seed=seed, among=rows))
        scratch.replace(path)
    return path
