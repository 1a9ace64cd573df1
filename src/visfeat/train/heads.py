"""Several label columns, a head each: the classes ``color=blue``, ``color=red``, ``shape=round``, ... side by side.

The network has one row of logits for all of them; a head is the part that belongs to its column, with a softmax of its
own. A file may have no label in a column: there it teaches and measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.train.metrics import softmax

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
    """Which of a run's classes exclude each other."""
    return None if multilabel else tuple(head_slices(classes, heads).values()) or ALL


def probabilities(logits: NDArray[np.floating[Any]], *, groups: Groups = ALL) -> NDArray[np.float64]:
    """Softmax over the last axis within each group, or ``1 / (1 + exp(-x))`` of each class where there is none."""
    values = logits.astype(np.float64)
    if groups is None:
        return np.exp(-np.logaddexp(0, -values))
    share = np.zeros_like(values)
    for group in groups:
        share[..., group] = softmax(values[..., group])
    return share


def labels_in(classes: Sequence[str], head: str) -> tuple[str, ...]:
    """The classes of a head without its name.

    >>> labels_in(["color=blue", "color=red"], "color")
    ('blue', 'red')
    """
    return tuple(name.removeprefix(head + HEAD_SEPARATOR) for name in classes)
