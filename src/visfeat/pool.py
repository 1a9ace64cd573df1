"""Pooling: activations of a layer -> one vector a row.

``avg``, ``max`` and ``gem`` (generalized mean, p = 3: Radenovic, Tolias and Chum, TPAMI 2019) run over the positions
of a map or the patch tokens; ``cls`` takes the first token; ``tokens`` keeps the positions as ``(T, C)``, patches only;
``flatten`` keeps every value in one vector; ``none`` keeps the layer's shape, maps as ``(C, H, W)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.card import LayerSpec, ModelCard
from visfeat.errors import UsageError
from visfeat.recipe import Pool, TimePool

Activations = NDArray[np.floating[Any]]

GEM_POWER = 3.0
GEM_FLOOR = 1e-6


def default_pool(card: ModelCard, layer: str) -> Pool:
    """The pooling that suits a layer: the card's for its own embedding, else by the shape of the output."""
    spec = card.layer(layer)
    if layer == card.default_layer and card.default_pool is not None:
        return card.default_pool
    if spec.kind == "tokens":
        return "cls" if spec.prefix_tokens else "avg"
    by_kind: dict[str, Pool] = {"vector": "none", "map": "avg", "other": "flatten"}
    return by_kind[spec.kind]


def check_pool(spec: LayerSpec, how: Pool) -> None:
    """Raise UsageError where a layer of that shape cannot be pooled so."""
    if how == "cls" and (spec.kind != "tokens" or spec.prefix_tokens < 1):
        raise UsageError(f"--pool cls: layer {spec.name} has no class token ({spec.kind} {spec.shape}); use avg")
    if how in ("avg", "max", "gem", "tokens") and spec.kind == "other":
        raise UsageError(f"--pool {how}: layer {spec.name} is neither a map nor tokens ({spec.shape}); use flatten")


def pooled_shape(spec: LayerSpec, how: Pool, over_time: TimePool | None = None) -> tuple[int, ...]:
    """The shape of one row after pooling."""
    return pool(np.zeros((1, *spec.shape), dtype=np.float32), spec, how, over_time).shape[1:]


def pool(values: Activations, spec: LayerSpec, how: Pool, over_time: TimePool | None = None) -> Activations:
    """Pool a batch ``(B, *spec.shape)`` to ``(B, D)``, or ``(B, C, H, W)`` and ``(B, T, C)`` where kept.

    A clip's map ``(C, T, H, W)`` is pooled over time and space at once, or with ``over_time`` over space first and then
    over time: ``avg``, ``max``, or ``none`` to keep ``(T, C)``. Layers without an axis of time take no notice of it.
    """
    if spec.kind == "vector":
        return values.reshape(len(values), -1)
    if spec.kind == "map" and spec.channels_last:
        values = np.moveaxis(values, -1, 1)
    if over_time is not None and spec.kind == "map" and values.ndim == 5 and how in ("avg", "max", "gem"):
        return _over_time(values, how, over_time)
    if how == "none":
        return np.ascontiguousarray(values)
    if how == "flatten":
        return np.ascontiguousarray(values).reshape(len(values), -1)
    if how == "cls":
        return values[:, 0]
    positions = _positions(values, spec)
    if how == "tokens":
        return np.ascontiguousarray(positions)
    return _reduce(positions, how)


def _over_time(values: Activations, how: Pool, over_time: TimePool) -> Activations:
    """``(B, C, T, H, W)`` -> ``(B, C)``, or ``(B, T, C)`` where time is kept."""
    batch, channels, steps = values.shape[:3]
    spaces = np.moveaxis(values, 2, 1).reshape(batch * steps, channels, -1)
    by_step = _reduce(np.moveaxis(spaces, 1, 2), how).reshape(batch, steps, channels)
    return by_step if over_time == "none" else _reduce(by_step, over_time)


def _positions(values: Activations, spec: LayerSpec) -> Activations:
    """The positions of a map ``(B, C, ...)`` or the patch tokens, as ``(B, T, C)``."""
    if spec.kind == "map":
        return np.moveaxis(values.reshape(*values.shape[:2], -1), 1, 2)
    return values[:, spec.prefix_tokens :]


def _reduce(positions: Activations, how: Pool) -> Activations:
    """``(B, T, C)`` -> ``(B, C)``; sums run in float32 at least."""
    reduced: Activations
    if how == "max":
        reduced = positions.max(axis=1)
    elif how == "avg":
        reduced = positions.mean(axis=1, dtype=np.float32)
    else:
        raised = np.maximum(positions, GEM_FLOOR).astype(np.float32) ** GEM_POWER
        reduced = raised.mean(axis=1) ** (1.0 / GEM_POWER)
    return reduced


def unit_length(vectors: Activations) -> Activations:
    """Each row divided by its L2 norm (over all its values); a row of zeros stays as it is."""
    flat = vectors.reshape(len(vectors), -1)
    norms = np.linalg.norm(flat, axis=1)
    norms[norms == 0] = 1.0
    unit: Activations = (flat / norms[:, None]).reshape(vectors.shape).astype(vectors.dtype, copy=False)
    return unit
