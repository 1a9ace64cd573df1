"""From pairs to groups: around the item that is kept, each member like it itself.

Not connected components: where A is like B and B like C, A and C need not be alike, and of a component of a hundred
only one would be kept. Here whoever is not kept has its likeness to the one that is, so nothing is given up for a
picture that does not show the same. Going through the items in the order in which they are to be kept makes the
groups independent of the order in which they came.
"""

from __future__ import annotations

from collections.abc import Sequence

from visfeat.dedupe.pairs import Pairs

Star = list[tuple[int, float]]
"""A kept node with 1.0, then those that are like it with their cosines, the most alike first."""


def stars(pairs: Pairs, order: Sequence[int]) -> list[Star]:
    """Groups of nodes; ``order`` names every node of the pairs, the one to keep first.

    A node joins the first in that order that it is like and that is kept; one that is like none of these is kept.
    Groups of one are left out, the others come in the order of what they keep.
    """
    near: dict[int, list[tuple[int, float]]] = {}
    for first, second, cosine in zip(pairs.first.tolist(), pairs.second.tolist(), pairs.cosine.tolist(), strict=True):
        near.setdefault(first, []).append((second, cosine))
        near.setdefault(second, []).append((first, cosine))
    rank = {node: number for number, node in enumerate(order)}
    taken: set[int] = set()
    groups: list[Star] = []
    for node in order:
        if node in taken or node not in near:
            continue
        taken.add(node)
        members = [(other, cosine) for other, cosine in near[node] if other not in taken]
        taken.update(other for other, _ in members)
        if members:
            members.sort(key=lambda one: (-one[1], rank[one[0]]))
            groups.append([(node, 1.0), *members])
    return groups
