"""VLAD: how rows differ from the centers of a vocabulary.

Jégou, Douze, Schmid and Pérez, Aggregating local descriptors into a compact image representation, CVPR 2010:
``v_k = sum of (x - c_k) over the rows x whose nearest center is c_k``, all v_k side by side. Then each value's signed
square root, and unit length, as in Jégou et al., Aggregating local image descriptors into compact codes, TPAMI 2012.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import MissingExtra, UsageError
from visfeat.temporal.rows import Doubles, RowSequence, Values, in_double, parts

DEFAULT_CENTERS = 16
"""The paper's smallest vocabulary: rows of networks are ten times as wide as its descriptors."""
MOST_ROWS = 20_000
"""Rows that a vocabulary is learned from; of more, so many are drawn."""
_STARTS = 4


def vlad(rows: RowSequence, centers: Doubles) -> Doubles:
    """Rows ``(T, D)`` and centers ``(K, D)`` -> float64 ``(K * D,)`` of unit length, center after center.

    Rows that are all centers themselves give zeros. Of centers equally near the first counts.
    """
    residuals = np.zeros_like(centers)
    for part in parts(len(rows)):
        values = in_double(rows, part)
        nearest = nearest_center(values, centers)
        np.add.at(residuals, nearest, values - centers[nearest])
    flat = residuals.reshape(-1)
    rooted = np.sign(flat) * np.sqrt(np.abs(flat))
    norm = np.linalg.norm(rooted)
    return np.asarray(rooted / norm if norm > 0 else rooted)


def nearest_center(values: Doubles, centers: Doubles) -> NDArray[np.intp]:
    """The index of the nearest center, by Euclidean distance, of each of the values ``(n, D)``."""
    # |x|^2 is the same for all centers.
    distances = np.square(centers).sum(axis=1) - 2 * values @ centers.T
    return np.asarray(np.argmin(distances, axis=1))


def learn_centers(values: Values, count: int, *, seed: int) -> Doubles:
    """A vocabulary ``(count, D)`` of rows ``(N, D)`` by k-means (scikit-learn's, from k-means++ starts).

    Raises UsageError where there are fewer different rows than centers, MissingExtra without scikit-learn.
    """
    try:
        from sklearn.cluster import KMeans
    except ModuleNotFoundError:
        raise MissingExtra("learning a vocabulary (scikit-learn)", extra="use") from None
    different = len({row.tobytes() for row in values})
    if different < count:
        raise UsageError(
            f"--temporal vlad: {different} different rows cannot give {count} centers; extract more rows, or say "
            f"--temporal-model kmeans:{seed},centers={max(1, different // 2)}"
        )
    found = KMeans(count, n_init=_STARTS, random_state=seed).fit(values.astype(np.float64))
    return np.asarray(found.cluster_centers_, dtype=np.float64)
