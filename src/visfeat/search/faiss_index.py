"""The inverted file of faiss (extra ``index``): as ``inverted``, compiled. Douze et al., The Faiss library, 2024."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.search.best import NOBODY
from visfeat.search.inverted import PROBES, ROUNDS, SAMPLE_PER_LIST, lists_for
from visfeat.search.unit_vectors import BLOCK_ROWS, Found, Values, directions_of, flat, inverse_lengths, units

_FILE, _IDS = "lists.faiss", "ids.npy"


class FaissIndex:
    """Rows of unit length in lists by the center that they are nearest to; ``ids`` int64 ``(N,)`` names them."""

    def __init__(self, index: Any, ids: NDArray[np.int64]) -> None:
        """Use ``build`` or ``open``."""
        self._index = index
        self.ids = ids

    @classmethod
    def build(cls, values: Values, *, ids: NDArray[np.int64] | None = None, seed: int = 0) -> FaissIndex:
        """Index the rows ``(N, ...)``, at least one; ``ids`` are 0 to N - 1 unless said otherwise."""
        import faiss

        rows = flat(values)
        inverse = inverse_lengths(rows)
        names = np.arange(len(rows)) if ids is None else ids
        lists = lists_for(len(rows))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(rows.shape[1]), rows.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed, index.cp.niter, index.cp.spherical = seed + 1, ROUNDS, True
        index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, SAMPLE_PER_LIST
        chosen = np.random.default_rng(seed).choice(len(rows), min(len(rows), lists * SAMPLE_PER_LIST), replace=False)
        chosen.sort()
        index.train(np.asarray(rows[chosen], np.float32) * inverse[chosen, None])
        for start, block in zip(range(0, len(rows), BLOCK_ROWS), units(rows, inverse), strict=True):
            index.add_with_ids(block, names[start : start + len(block)])
        return cls(index, names)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lists(self) -> int:
        """In how many lists the rows lie."""
        return int(self._index.nlist)

    def search(self, queries: Values, k: int, *, probes: int = PROBES) -> Found:
        """As ``VectorIndex.search``; ``probes``: in how many lists each query is looked for."""
        import faiss

        directions = directions_of(queries, self._index.d, k)
        asked = faiss.SearchParametersIVF(nprobe=min(probes, self.lists))
        scores, found = self._index.search(directions, k, params=asked)
        return found.astype(np.int64), np.where(found == NOBODY, np.float32(-np.inf), scores).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write the files of the index into a folder."""
        import faiss

        faiss.write_index(self._index, str(folder / _FILE))
        np.save(folder / _IDS, self.ids)

    @classmethod
    def open(cls, folder: Path) -> FaissIndex:
        """Read what ``save`` wrote; the rows stay on disk until they are looked at. Raises OSError, ValueError."""
        import faiss

        try:
            index = faiss.read_index(str(folder / _FILE), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        except RuntimeError as error:
            raise ValueError(str(error).partition("\n")[0]) from None
        # 32 threads a search that read ahead cost more than they gain: what is searched often is in memory.
        faiss.downcast_InvertedLists(index.invlists).prefetch_nthread = 0
        return cls(index, np.load(folder / _IDS))
