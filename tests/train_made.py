"""Small training data that the tests make: the digits of scikit-learn, pictures and moving squares."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np


def digits():
    """1797 gray pictures of 8 x 8 pixels, uint8, and their digits."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.images * 255 / 16).round().astype(np.uint8), found.target.astype(np.uint8)


def write_idx(path: Path, values, *, gz: bool = False):
    """An IDX file of unsigned bytes."""
    content = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()
    path.write_bytes(gzip.compress(content) if gz else content)


def digits_folder(folder: Path, *, train: int = 300, test: int = 60):
    """The IDX files of some digits under the names that the family uses."""
    pictures, labels = digits()
    folder.mkdir(parents=True, exist_ok=True)
    write_idx(folder / "train-images-idx3-ubyte", pictures[:train])
    write_idx(folder / "train-labels-idx1-ubyte", labels[:train])
    write_idx(folder / "t10k-images-idx3-ubyte.gz", pictures[train : train + test], gz=True)
    write_idx(folder / "t10k-labels-idx1-ubyte.gz", labels[train : train + test], gz=True)
    return folder
