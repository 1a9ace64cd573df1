"""Which classes of a network exclude each other, and from its logits to probabilities.

A network of several label columns has a head for each: the classes ``color=blue``, ``color=red``, ``shape=round``, ...
side by side in one row of logits. A head is the part that belongs to its column, with a softmax of its own. A network
of several labels at once has a sigmoid for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.card import ModelCard

HEAD_SEPARATOR = "="
"""Between a column and its label."""

Groups = tuple[slice, ...] | None
"""Which classes exclude each other: all, those of each head, or none (None: several labels at once)."""

ALL: Groups = (slice(None),)


def head_slices(classes: Sequence[str], heads: Sequence[str]) -> dict[str, slice]:
    """Which of the sorted classes belong to each head; equal beginnings stand together."""
    slices = {}
    for head in heads:
        own = [n for n, name in enumerate(classes) if name.startswith(head + HEAD_SEPARATOR)]
        slices[head] = slice(own[0], own[-1] + 1) if own else slice(0, 0)
    return slices


def groups_of(classes: Sequence[str], heads: Sequence[str], *, multilabel: bool) -> Groups:
    """Which of a network's classes exclude each other."""
    return None if multilabel else tuple(head_slices(classes, heads).values()) or ALL


def card_groups(card: ModelCard) -> Groups:
    """Which classes of a model exclude each other."""
    return groups_of(card.class_names, card.heads, multilabel=card.multilabel)


def labels_in(classes: Sequence[str], head: str) -> tuple[str, ...]:
    """The classes of a head without its name.

    >>> labels_in(["color=blue", "color=red"], "color")
    ('blue', 'red')
    """
    return tuple(name.removeprefix(head + HEAD_SEPARATOR) for name in classes)


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """``exp(x_k) / sum_j exp(x_j)`` over the last axis ``(..., K)``."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def probabilities(logits: NDArray[np.floating[Any]], *, groups: Groups = ALL) -> NDArray[np.float64]:
    """Softmax over the last axis within each group, or ``1 / (1 + exp(-x))`` of each class where there is none."""
    values = logits.astype(np.float64)
    if groups is None:
        return np.exp(-np.logaddexp(0, -values))
    share = np.zeros_like(values)
    for group in groups:
        if values[..., group].size:
            share[..., group] = softmax(values[..., group])
    return share


def likeliest(shares: NDArray[np.float64], top: int, *, groups: Groups = ALL) -> NDArray[np.int64]:
    """The ``top`` classes of each group, the likeliest first, group after group: ``(N, classes)`` -> ``(N, M)``.

    Of several labels at once the ``top`` of all; of equal probabilities the class that comes first.
    """
    best = []
    for group in groups or (slice(None),):
        classes = np.arange(shares.shape[1])[group]
        order = np.argsort(-shares[:, group], axis=1, kind="stable")[:, :top]
        best.append(classes[order])
    return np.concatenate(best, axis=1)
