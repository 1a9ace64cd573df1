"""Where the training pixels are: in memory, in a file, or in the media themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError

Array = NDArray[np.uint8]

SHARE_OF_MEMORY = 0.4
"""How much of the free memory ``--cache auto`` takes before it turns to the disk."""


class Pixels(Protocol):
    """N samples uint8 ``(T, H, W, 3)``; several threads may take at once."""

    def __len__(self) -> int:
        """N."""

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> Array:
        """The samples of these indices, uint8 ``(B, T, H, W, 3)``, the caller's own."""


class ArrayPixels:
    """Samples of one array ``(N, T, H, W, 3)``, in memory or mapped from a file."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> Array:
        """A copy of these rows."""
        return np.ascontiguousarray(self.array[np.asarray(indices)])


class GrayPixels:
    """Gray pictures ``(N, H, W)``; each sample has the same value in all three channels."""

    def __init__(self, pictures: Array) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> Array:
        """These pictures in three channels, as clips of one frame."""
        return np.repeat(self.pictures[np.asarray(indices)][:, None, :, :, None], 3, axis=-1)


class FilePixels:
    """Samples decoded anew whenever they are taken: nothing is kept.

    ``decode`` gives all samples of a file; ``places`` says file and number within it of each sample.
    """

    def __init__(self, decode: Callable[[int], Array], places: Sequence[tuple[int, int]]) -> None:
        self._decode, self._places = decode, tuple(places)

    def __len__(self) -> int:
        return len(self._places)

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> Array:
        """Decode the files in which these samples are, each once."""
        places = [self._places[int(index)] for index in indices]
        decoded = {file: self._decode(file) for file in {file: None for file, _ in places}}
        return np.stack([decoded[file][number] for file, number in places])


class Growing:
    """Samples that come one file at a time: kept in memory up to a limit, beyond it in a file."""

    def __init__(self, path: Path, *, limit_bytes: float) -> None:
        """``path`` is the file to fall back to (.npy); 0 as the limit goes there at once."""
        self._path, self._limit_bytes = path, limit_bytes
        # What an interrupted run left there is of other files, or cut off within one.
        self._raw.unlink(missing_ok=True)
        self._parts: list[Array] = []
        self._bytes = 0
        self._rows = 0
        self._shape: tuple[int, ...] | None = None

    def append(self, samples: Array) -> None:
        """Add ``(n, T, H, W, 3)``, of the same T, H and W as all others."""
        self._shape = self._shape or samples.shape[1:]
        self._parts.append(samples)
        self._rows += len(samples)
        self._bytes += samples.nbytes
        if self._bytes > self._limit_bytes:
            self._flush()

    def finish(self) -> ArrayPixels:
        """All samples; raises UsageError where there is none."""
        if self._shape is None or not self._rows:
            raise UsageError("none of the files could be read, so there is nothing to learn from")
        if not self._raw.exists():
            array = np.concatenate(self._parts)
            self._parts = []
            return ArrayPixels(array)
        self._flush()
        shape = (self._rows, *self._shape)
        self._raw.replace(self._path)
        return ArrayPixels(np.memmap(self._path, np.uint8, mode="r", shape=shape))

    @property
    def _raw(self) -> Path:
        return self._path.with_suffix(".part")

    def _flush(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._raw.open("ab") as file:
            for part in self._parts:
                file.write(np.ascontiguousarray(part).data)
        # From now on everything goes to the file as it comes.
        self._parts, self._limit_bytes = [], 0


def free_memory_bytes() -> int:
    """Memory that a new array may take; of Linux what the kernel calls available, elsewhere half of all."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        (available,) = (line for line in lines if line.startswith("MemAvailable:"))
        return int(available.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (ValueError, OSError, AttributeError):
        return 4 << 30
