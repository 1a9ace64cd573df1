"""Pairs among very many vectors: time, memory, and whether planted copies are found."""

from __future__ import annotations

import resource
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.dedupe.neighbors import near_pairs
from visfeat.dedupe.pairs import bounded

SCENES_A_THOUSAND = 20
COPIES_A_THOUSAND = 10
THRESHOLD = 0.9
_PART = 16384


def measure_vectors(number: int, dimension: int, *, threshold: float = THRESHOLD) -> dict[str, Any]:
    """Find the pairs among so many vectors like those of a network, of which 1% are copies of others."""
    started = time.monotonic()
    values, copies = clustered(number, dimension, seed=0)
    made_s = time.monotonic() - started
    started = time.monotonic()
    pairs = near_pairs(values, threshold)
    seconds = time.monotonic() - started
    found = set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    planted = [(int(first), int(second)) for first, second in copies]
    return {
        "vectors": number,
        "dimension": dimension,
        "threshold": threshold,
        "by_bound": bounded(values, values, threshold),
        "seconds": round(seconds, 1),
        "making_them_s": round(made_s, 1),
        "pairs": len(pairs),
        "planted": len(planted),
        "recall_of_planted": sum(pair in found for pair in planted) / max(1, len(planted)),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def clustered(number: int, dimension: int, *, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit vectors ``(N, D)`` around scenes, not negative and with a falling spectrum as after a ReLU; and the copies.

    Copies int64 ``(C, 2)``: pairs of rows with a cosine of about 0.97; others of one scene have about 0.7.
    """
    random = np.random.default_rng(seed)
    scale = (1 + np.arange(dimension)) ** -0.5
    scenes = random.gamma(0.5, 1, (max(2, number * SCENES_A_THOUSAND // 1000), dimension)) * scale
    values = np.empty((number, dimension), np.float32)
    for start in range(0, number, _PART):
        part = values[start : start + _PART]
        own = random.gamma(0.5, 1, part.shape) * scale
        part[:] = 0.5 * scenes[random.integers(len(scenes), size=len(part))] + 0.5 * own
    count = number * COPIES_A_THOUSAND // 1000
    chosen = random.permutation(number)[: 2 * count].reshape(-1, 2)
    noise = np.abs(random.normal(size=(count, dimension))) * scale
    originals = values[chosen[:, 0]]
    noise *= 0.25 * np.linalg.norm(originals, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
    values[chosen[:, 1]] = originals + noise
    for start in range(0, number, _PART):
        part = values[start : start + _PART]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return values, np.sort(chosen, axis=1)
