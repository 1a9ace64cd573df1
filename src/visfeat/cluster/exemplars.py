"""The rows that show a cluster: those nearest to its center, each of another item as far as there are several."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visfeat.store.join import Join


def exemplars(join: Join, members: NDArray[np.int64], distance: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """At most ``most`` of the rows ``members``, the nearest first; ``distance`` float32 ``(N,)`` is that of all rows.

    Copies of a content are shown once. Items that were shown come again, with other moments, only where there are
    too few others.
    """
    ordered = members[np.lexsort((members, distance[members]))]
    # Of rows that share a stored vector, and then of rows of one item, the nearest.
    unlike = ordered[np.sort(np.unique(join.offset[ordered], return_index=True)[1])]
    first = np.sort(np.unique(join.item[unlike], return_index=True)[1])
    others = np.setdiff1d(np.arange(len(unlike)), first)
    chosen = np.concatenate([first, others])[:most]
    return np.asarray(unlike[np.sort(chosen)], np.int64)
