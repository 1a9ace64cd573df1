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


def digit_pictures(folder: Path, *, each: int = 12, classes: int = 3):
    """A folder per digit with PNG files of 8 x 8 pixels."""
    from PIL import Image

    pictures, labels = digits()
    for digit in range(classes):
        part = folder / f"digit{digit}"
        part.mkdir(parents=True)
        for n, picture in enumerate(pictures[labels == digit][:each]):
            Image.fromarray(picture).save(part / f"{n:03}.png")
    return folder


def moving_square(to_the_right: bool, seed: int, *, frames: int = 8, side: int = 32):
    """A bright square that moves by 3 px a frame over noise; one frame tells nothing of the direction."""
    random = np.random.default_rng(seed)
    noise = random.integers(0, 60, (side, side, 3), dtype=np.uint8)
    top, first = random.integers(0, side - 8), random.integers(0, side)
    pictures = []
    for t in range(frames):
        picture = noise.copy()
        left = (first + (3 * t if to_the_right else -3 * t)) % side
        columns = [(left + k) % side for k in range(8)]
        picture[top : top + 8, columns] = 230
        pictures.append(picture)
    return pictures


def moving_squares(folder: Path, *, each: int = 6, frames: int = 8):
    """Folders ``left`` and ``right`` with a short video for each square."""
    from media_made import write_video

    for label in ("left", "right"):
        (folder / label).mkdir(parents=True)
        for n in range(each):
            pictures = moving_square(label == "right", seed=2 * n + (label == "right"), frames=frames)
            write_video(folder / label / f"{n}.mp4", pictures, rate=8)
    return folder
