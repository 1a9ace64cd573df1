"""What a store knows: its rows as unit vectors in memory, against which each new moment is scored by cosine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError
from visfeat.frames import NO_TIME
from visfeat.pool import unit_length
from visfeat.search import Neighbor, largest
from visfeat.store.reading import SpaceReader

SAME_SCENE_S = 10.0
"""Moments of one video that are closer than this show the same scene, and tell nothing of how alike others are."""
SAMPLED_ROWS = 1000
_BLOCK_VALUES = 16 * 2**20
PERCENT = 1.0
"""So many of a hundred moments like the store's own would be reported as unlike them."""


class Known:
    """The distinct rows of one space, each copy once: float32 ``(N, D)`` of unit length."""

    def __init__(self, reader: SpaceReader) -> None:
        """Load them all; raises UsageError where there is none."""
        if len(reader) == 0:
            raise UsageError(f"{reader.space}: the store has no rows of it to compare with")
        self._reader = reader
        self.indices = np.sort(np.unique(reader.join.offset, return_index=True)[1])
        """Index of each row in the reader."""
        values: NDArray[np.floating[Any]] = reader.all_values()[self.indices]
        self.directions: NDArray[np.floating[Any]] = unit_length(values).reshape(len(values), -1)

    def __len__(self) -> int:
        return len(self.directions)

    def scores(self, vector: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """The cosine of every row with a vector ``(...)``: float32 ``(N,)``, 0 for a vector of zeros."""
        direction = unit_length(np.asarray(vector, np.float32)[None]).ravel()
        return (self.directions @ direction).astype(np.float32, copy=False)

    def described(self, scores: NDArray[np.float32], k: int) -> list[Neighbor]:
        """The k rows with the largest scores, the nearest first."""
        found, cosine = largest(scores, k)
        rows = self._reader.metadata_at(self.indices[found]).to_pylist()
        return [
            Neighbor(row["uri"], row["start_s"], row["end_s"], float(score))
            for row, score in zip(rows, cosine, strict=True)
        ]

    def usual_score(self, percent: float = PERCENT) -> float:
        """What ``100 - percent`` of 100 of the store's own moments score: a percentile of nearest cosines.

        Of each row (of up to 1,000, evenly taken) the largest cosine to any other is taken, where rows of the same
        video within 10 s do not count. Raises UsageError where no row has another one.
        """
        item, start_s = self._reader.join.item[self.indices], self._starts()
        sampled = np.unique(np.linspace(0, len(self) - 1, min(len(self), SAMPLED_ROWS)).astype(int))
        nearest = []
        # A product of matrices reads the rows once a block, not once a row.
        for rows in np.array_split(sampled, -(-len(sampled) * len(self) // _BLOCK_VALUES)):
            for row, scores in zip(rows, self.directions[rows] @ self.directions.T, strict=True):
                same = slice(*np.searchsorted(item, [item[row], item[row] + 1]))
                is_near = np.abs(start_s[same] - start_s[row]) < SAME_SCENE_S
                scores[same][is_near] = -np.inf
                scores[row] = -np.inf
                nearest.append(scores.max())
        found = np.array(nearest)[np.isfinite(nearest)]
        if not len(found):
            raise UsageError("the store knows too little to say what is usual: give --threshold, such as 0.8")
        return float(np.percentile(found, percent))

    def usual_likeness(self, vector: NDArray[np.floating[Any]], percent: float = PERCENT) -> float:
        """The cosine with an example that only ``percent`` of 100 of the store's rows reach, the example left out."""
        scores = self.scores(vector)
        others = scores[scores < 0.9999]
        if not len(others):
            raise UsageError("the store knows too little to say what is usual: give --threshold, such as 0.8")
        return float(np.percentile(others, 100 - percent))

    def _starts(self) -> NDArray[np.float64]:
        """Start times float64 ``(N,)``, NaN for images."""
        starts: NDArray[np.float64] = self._reader.metadata()["start_s"].fill_null(NO_TIME).to_numpy()
        return starts[self.indices]
