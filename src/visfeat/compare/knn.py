"""Classification by the nearest neighbors, weighted by cosine.

Wu et al. 2018, "Unsupervised feature learning via non-parametric instance discrimination".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEIGHBORS = 20
TEMPERATURE = 0.07


def votes(
    cosines: NDArray[np.float32], classes: NDArray[np.int64], count: int, k: int = NEIGHBORS
) -> NDArray[np.float64]:
    """What each class gets of the k nearest: ``sum exp(cosine / 0.07)`` over those of it, float64 ``(Q, count)``.

    cosines: ``(Q, G)``; classes: of the gallery, ``(G,)``. All votes of a query are scaled by the same number, which
    changes no order. Of equal cosines the lower index is nearer; where G < k all of them vote. A class without a
    neighbor has exactly 0.
    """
    k = min(k, cosines.shape[1])
    rows, columns = np.nonzero(nearest_mask(cosines, k))
    near = cosines[rows, columns].astype(np.float64)
    best = cosines.max(axis=1).astype(np.float64)
    found = np.zeros((len(cosines), count))
    np.add.at(found, (rows, classes[columns]), np.exp((near - best[rows]) / TEMPERATURE))
    return found


def nearest_mask(cosines: NDArray[np.float32], k: int) -> NDArray[np.bool_]:
    """Which of the gallery ``(Q, G)`` are the k nearest of each query; of equal cosines the lower index comes first."""
    last = np.partition(cosines, -k, axis=1)[:, -k, None]
    nearer, tied = cosines > last, cosines == last
    free = k - nearer.sum(axis=1, keepdims=True)
    return np.asarray(nearer | (tied & (np.cumsum(tied, axis=1) <= free)))
