"""What a stream gives: a row of features with its time, as soon as it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError
from visfeat.frames import Label

Vector = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class StreamRow:
    """The features of one frame or clip of a stream.

    position: its number among the rows that were not dropped. start_s, end_s: seconds after the stream's first frame,
    as in a store. frame_index: int64 ``(T,)``, the frames that it was computed from. vectors: layer -> ``(D,)``, or
    ``(C, H, W)`` and ``(T, C)`` where nothing is pooled. labels: where the recipe asks for class names. repeated: as in
    NetworkInput. delay_s: from the arrival of the frame that completed it until its features were there.
    """

    position: int
    start_s: float
    end_s: float
    frame_index: NDArray[np.int64]
    vectors: Mapping[str, Vector]
    labels: tuple[Label, ...] = ()
    repeated: int = 0
    delay_s: float = 0.0

    @property
    def vector(self) -> Vector:
        """The features of the only layer; raises UsageError where there are several."""
        if len(self.vectors) != 1:
            raise UsageError(f"this stream has several layers: row.vectors[...] with {', '.join(self.vectors)}")
        return next(iter(self.vectors.values()))
