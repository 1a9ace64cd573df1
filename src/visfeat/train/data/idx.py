"""IDX files, the format of MNIST and its family: a magic number, the sizes, then the values.

    0   2 bytes   0
    2   1 byte    type of the values: 8 for unsigned bytes
    3   1 byte    number of axes D
    4   4 D bytes their lengths, big-endian
    then the values, the last axis the fastest

Plain or packed by gzip, by content and not by name.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError

_UNSIGNED_BYTE = 8
_GZIP = b"\x1f\x8b"
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
_TEST_NAMES = ("t10k", "test")


def read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes; raises UsageError where magic, sizes or axes are others."""
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from None
    if len(content) < 4 or content[:2] != b"\0\0":
        raise UsageError(f"{path}: not an IDX file: it begins with {content[:4].hex() or 'nothing'}")
    kind, found = content[2], content[3]
    if kind != _UNSIGNED_BYTE or found != axes:
        raise UsageError(
            f"{path}: an IDX file of type {kind} with {found} axes; needed are unsigned bytes (8) with {axes}"
        )
    head = 4 + 4 * axes
    if len(content) < head:
        raise UsageError(f"{path}: ends within its header")
    shape = struct.unpack(f">{axes}I", content[4:head])
    expected = int(np.prod(shape, dtype=np.int64))
    if len(content) - head != expected:
        sizes = " x ".join(str(side) for side in shape)
        raise UsageError(f"{path}: says {sizes}, which is {expected:,} bytes, but holds {len(content) - head:,}")
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def idx_pairs(folder: Path) -> list[tuple[str, Path, Path]]:
    """The pairs of images and labels in a folder: the split that the name tells ("train" or "test"), and both files.

    Raises UsageError where one of a pair is missing.
    """
    found = sorted(path for path in folder.iterdir() if _is_images(path.name))
    pairs = []
    for images in found:
        prefix = images.name.replace(".", "-").partition(IMAGES)[0]
        labels = [path for path in folder.iterdir() if path.name.replace(".", "-").startswith(prefix + LABELS)]
        if not labels:
            raise UsageError(f"{images}: there is no file {prefix}{LABELS} beside it")
        is_test = any(name in prefix.lower() for name in _TEST_NAMES)
        pairs.append(("test" if is_test else "train", images, min(labels)))
    return pairs


def is_idx_folder(path: Path) -> bool:
    """Whether a folder holds pictures of the family."""
    return path.is_dir() and any(_is_images(one.name) for one in path.iterdir())


def picture_uri(images: Path, number: int) -> str:
    """What a picture of an IDX file is called: the file and its number there."""
    return f"{images.absolute()}#{number}"


def picture_place(uri: str) -> tuple[Path, int] | None:
    """The file and the number that a picture's URI says; None of a URI that means something else."""
    path, _, number = uri.rpartition("#")
    return (Path(path), int(number)) if _is_images(PurePath(path).name) and number.isdecimal() else None


def number_of_pictures(images: Path) -> int:
    """How many there are by the header, which alone is read; 0 where there is no such file."""
    try:
        with images.open("rb") as file:
            packed = file.read(len(_GZIP)) == _GZIP
        with gzip.open(images) if packed else images.open("rb") as file:
            head = file.read(8)
    except (OSError, EOFError, zlib.error):
        return 0
    return int.from_bytes(head[4:], "big") if head[:4] == bytes([0, 0, _UNSIGNED_BYTE, 3]) else 0


def read_pair(images: Path, labels: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pictures uint8 ``(N, H, W)`` and their labels uint8 ``(N,)``; raises UsageError where their numbers differ."""
    pictures, numbers = read_idx(images, 3), read_idx(labels, 1)
    if len(pictures) != len(numbers):
        raise UsageError(f"{images.name} has {len(pictures):,} pictures, {labels.name} {len(numbers):,} labels")
    return pictures, numbers


def _is_images(name: str) -> bool:
    return IMAGES in name.replace(".", "-")
