"""Rows in time order, read a part at a time, so that a video of any length is pooled in flat memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

PART_ROWS = 256
"""Rows that are looked at together: 25 MB of maps of 512 x 7 x 7."""

Values = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]


class RowSequence(Protocol):
    """The rows of one video or shot, ``(T, *shape)`` by slices: an array is one, and so are rows left in a store."""

    def __len__(self) -> int:
        """How many rows."""

    def __getitem__(self, part: slice, /) -> Values:
        """Consecutive rows ``(n, *shape)``."""


def parts(count: int, *, size: int = PART_ROWS, backwards: bool = False) -> Iterator[slice]:
    """Slices that cover ``count`` rows, ``size`` at a time and each once, from the first or from the last on.

    >>> list(parts(5, size=2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    starts = range(0, count, size)
    for start in reversed(starts) if backwards else starts:
        yield slice(start, min(start + size, count))


def in_double(rows: RowSequence, part: slice) -> Doubles:
    """A part of the rows in float64 ``(n, *shape)``, in which all sums run."""
    return rows[part].astype(np.float64)
