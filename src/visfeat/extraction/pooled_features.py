"""Pooling rows over time without a store: those of one video, and those of single pictures."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from visfeat.frames import Features
from visfeat.shots.detect import Shot
from visfeat.temporal.pooling import PooledRecipe
from visfeat.temporal.rows import Values
from visfeat.temporal.segments import RowTimes, pool_rows, segments_of, spans_of

log = logging.getLogger(__name__)


def pooled_video(
    path: str | os.PathLike[str], rows: Mapping[str, Features], pooled: PooledRecipe, shots: Sequence[Shot] | None
) -> dict[str, Features]:
    """The pooled rows of a video, by layer, from its rows; ``shots``, where the recipe asks, None of an animation."""
    first = next(iter(rows.values()))
    times = RowTimes(first.start_s, first.end_s, first.frame_index)
    recipe = pooled.recipe
    spans = None if recipe.segments is None or shots is None else spans_of(shots)
    segments, without = segments_of(times, spans)
    if without:
        log.warning("%s: %d of %d shots have no row", os.fspath(path), without, without + len(segments))
    found = {}
    for layer, features in rows.items():
        result = pool_rows(features.values, times, segments, pooled.poolings[layer])
        found[layer] = Features(
            uri=features.uri,
            layer=layer,
            values=result.values.astype(recipe.dtype),
            start_s=result.times.start_s,
            end_s=result.times.end_s,
            frame_index=result.times.frame_index,
            recipe_digest=recipe.digest,
        )
    return found


def pooled_pictures(rows: Mapping[str, Values], pooled: PooledRecipe) -> dict[str, NDArray[np.floating]]:
    """Each picture pooled by itself, as images in a store are: rows ``(N, ...)`` by layer -> ``(N, *shape)``."""
    found = {}
    for layer, values in rows.items():
        pooling = pooled.poolings[layer]
        each = [pooling.apply(values[n : n + 1]).reshape(pooling.shape) for n in range(len(values))]
        found[layer] = np.array(each, dtype=pooled.recipe.dtype).reshape(-1, *pooling.shape)
    return found
