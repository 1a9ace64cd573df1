"""From a batch of activations to rows: pool, normalize, cast, name the classes, refuse what is not finite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.class_groups import ALL, Groups, card_groups, likeliest, probabilities
from visfeat.engine.network import Outputs
from visfeat.engine.prepare import Prepared
from visfeat.frames import Label
from visfeat.pool import pool, unit_length


@dataclass(frozen=True, slots=True)
class BatchVectors:
    """The rows of one batch.

    values: layer -> ``(N, ...)`` pooled, N rows a batch; finite: bool ``(N,)``, False where any layer has a NaN or an
    infinity; labels: N tuples, or empty where no class names were asked for.
    """

    values: dict[str, NDArray[np.floating[Any]]]
    finite: NDArray[np.bool_]
    labels: tuple[tuple[Label, ...], ...]


def vectors_of(outputs: Outputs, prepared: Prepared) -> BatchVectors:
    """Pool each kept layer of a batch as the recipe says.

    Of a row in several views, the pooled vectors are averaged before they get unit length, as published evaluation code
    averages features; kept apart, each view's vector gets unit length.
    """
    recipe = prepared.recipe
    values: dict[str, NDArray[np.floating[Any]]] = {}
    finite = np.ones(prepared.rows_per_batch, dtype=bool)
    apart = bool(recipe.crops_apart)
    for spec, how in zip(prepared.layers, prepared.pools, strict=True):
        pooled = pool(outputs[spec.name], spec, how, recipe.pool_time)
        if prepared.views > 1 and not apart:
            pooled = by_row(pooled, prepared.views).mean(axis=1, dtype=np.float32)
        if recipe.normalize:
            pooled = unit_length(pooled)
        if apart:
            pooled = by_row(pooled, prepared.views)
        # A float16 that overflows becomes an infinity, which is found here and not later.
        with np.errstate(over="ignore"):
            cast = pooled.astype(recipe.dtype, copy=False)
        finite &= np.isfinite(cast.reshape(len(cast), -1)).all(axis=1)
        values[spec.name] = cast
    labels: tuple[tuple[Label, ...], ...] = ()
    if recipe.top:
        assert prepared.card.logits_layer is not None
        logits = by_row(outputs[prepared.card.logits_layer], prepared.views)
        labels = top_labels(logits, prepared.card.class_names, recipe.top, groups=card_groups(prepared.card))
    return BatchVectors(values, finite, labels)


def by_row(values: NDArray[np.floating[Any]], views: int) -> NDArray[np.floating[Any]]:
    """A batch ``(N * V, ...)`` as rows with their views: ``(N, V, ...)``."""
    return values.reshape(-1, views, *values.shape[1:])


def top_labels(
    logits: NDArray[np.floating[Any]], names: tuple[str, ...], top: int, *, groups: Groups = ALL
) -> tuple[tuple[Label, ...], ...]:
    """The ``top`` classes of each row of logits ``(N, V, classes)``, the likeliest first; of several heads of each.

    The probabilities of a row's views are averaged.
    """
    shares = probabilities(logits.reshape(*logits.shape[:2], -1), groups=groups).mean(axis=1)
    order = likeliest(shares, top, groups=groups)
    return tuple(tuple(Label(names[i], float(row[i])) for i in best) for row, best in zip(shares, order, strict=True))
