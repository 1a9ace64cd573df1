"""Cosines of queries with a gallery, a block at a time, so that no matrix of all pairs is ever there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 8 * 2**20

Vectors = NDArray[np.floating[Any]]


def unit(values: Vectors) -> NDArray[np.float32]:
    """Rows ``(N, D)`` at length 1, float32; a vector of zeros stays what it is, so that its cosine is 0."""
    rows = np.asarray(values, np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
    return np.asarray(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0))


def cosine_blocks(
    queries: NDArray[np.float32], gallery: NDArray[np.float32], *, block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """For unit vectors ``(Q, D)`` and ``(G, D)``: which queries, and their cosines float32 ``(q, G)``."""
    size = max(1, block_bytes // (4 * max(1, len(gallery))))
    for start in range(0, len(queries), size):
        part = slice(start, min(start + size, len(queries)))
        yield part, queries[part] @ gallery.T
