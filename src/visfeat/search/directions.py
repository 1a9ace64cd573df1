"""Several vectors as one direction to search in: what is wanted, and what is not.

Each vector gets unit length first, so that none counts more than another. What is wanted is their mean. What is not
wanted is the mean of the others, and half of it is subtracted (Rocchio, Relevance feedback in information retrieval,
1971; a weight below 1 keeps the answer near what is wanted).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError

Direction = NDArray[np.float32]
AGAINST = 0.5
"""What is not wanted counts so much."""


def unit(vector: NDArray[np.floating[Any]], *, subject: str, width: int | None = None) -> Direction:
    """A vector of any shape as a direction float32 ``(D,)``.

    Raises UsageError that names the subject for another number of values than ``width``, for values that are not
    finite, and for zeros, which have no direction.
    """
    flat = np.asarray(vector, np.float64).reshape(-1)
    if width is not None and len(flat) != width:
        raise UsageError(f"{subject}: a vector of {len(flat)} values; those of the store have {width}")
    if not np.isfinite(flat).all():
        raise UsageError(f"{subject}: holds values that are not finite (NaN or infinite)")
    length = np.linalg.norm(flat)
    if length == 0:
        raise UsageError(f"{subject}: a vector of zeros has no direction to search in")
    return (flat / length).astype(np.float32)


def mean_direction(directions: Sequence[Direction], *, subject: str) -> Direction:
    """The direction of the mean of unit vectors; raises UsageError where they cancel out."""
    return unit(np.mean(np.asarray(directions, np.float64), axis=0).round(12), subject=subject)


def combined(wanted: Sequence[Direction], unwanted: Sequence[Direction] = ()) -> Direction:
    """One direction float32 ``(D,)``: ``mean(wanted) - 0.5 mean(unwanted)``, both means and the result of unit length.

    Raises UsageError where nothing is left of it.
    """
    towards = mean_direction(wanted, subject="the mean of what is searched")
    if not unwanted:
        return towards
    away = mean_direction(unwanted, subject="--not")
    return unit(towards - AGAINST * away, subject="--not")
