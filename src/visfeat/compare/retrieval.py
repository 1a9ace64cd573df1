"""Retrieval: every query ranks the gallery by cosine; what has its class is relevant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Cosines = NDArray[np.float32]
Relevant = NDArray[np.bool_]


def average_precision(cosines: Cosines, relevant: Relevant) -> NDArray[np.float64]:
    """Mean over a query's relevant ones of the precision at their cosine, float64 ``(Q,)``; NaN where there is none.

    cosines, relevant: ``(Q, G)``. The precision at a cosine is the share of relevant ones among all that reach it, so
    that the order of equal ones does not matter. The mean over queries is the mAP (Manning, Raghavan and Schütze 2008,
    chapter 8.4).
    """
    return np.array([_average_precision(row, own) for row, own in zip(cosines, relevant, strict=True)])


def _average_precision(cosines: Cosines, relevant: Relevant) -> float:
    own = np.sort(cosines[relevant])
    if not len(own):
        return float("nan")
    reached = len(cosines) - np.searchsorted(np.sort(cosines), own, side="left")
    right = len(own) - np.searchsorted(own, own, side="left")
    return float(np.mean(right / reached))


def first_relevant(cosines: Cosines, relevant: Relevant) -> NDArray[np.int64]:
    """The rank of the first relevant one from 0 on, ``(Q,)``; G where there is none.

    cosines, relevant: ``(Q, G)``; of equal cosines the lower index comes first.
    ``first_relevant(...) < k`` is recall@k as metric learning has it: is one of the k nearest of the query's class
    (Song et al. 2016, "Deep metric learning via lifted structured feature embedding").
    """
    width = cosines.shape[1]
    best = np.where(relevant, cosines, -np.inf).max(axis=1, initial=-np.inf)[:, None]
    place = np.where(relevant & (cosines == best), np.arange(width), width).min(axis=1, initial=width)[:, None]
    before = (cosines > best) | ((cosines == best) & (np.arange(width) < place))
    return np.asarray(np.where(place[:, 0] < width, before.sum(axis=1), width), np.int64)
