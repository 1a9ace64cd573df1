"""Several label columns, a head each: the classes ``color=blue``, ``color=red``, ``shape=round``, ... side by side.

The network has one row of logits for all of them; a head is the part that belongs to its column, with a softmax of its
own. A file may have no label in a column: there it teaches and measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

HEAD_SEPARATOR = "="
"""Between a column and its label."""


def head_slices(classes: Sequence[str], heads: Sequence[str]) -> dict[str, slice]:
    """Which of the sorted classes belong to each head; equal beginnings stand together."""
    slices = {}
    for head in heads:
        own = [n for n, name in enumerate(classes) if name.startswith(head + HEAD_SEPARATOR)]
        slices[head] = slice(own[0], own[-1] + 1) if own else slice(0, 0)
    return slices


def labels_in(classes: Sequence[str], head: str) -> tuple[str, ...]:
    """The classes of a head without its name.

    >>> labels_in(["color=blue", "color=red"], "color")
    ('blue', 'red')
    """
    return tuple(name.removeprefix(head + HEAD_SEPARATOR) for name in classes)
