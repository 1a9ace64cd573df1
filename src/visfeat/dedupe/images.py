"""Groups of pictures that show the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from visfeat.dedupe.contents import Pictures
from visfeat.dedupe.found import Group, Member
from visfeat.dedupe.groups import stars
from visfeat.dedupe.neighbors import near_pairs
from visfeat.dedupe.pairs import Pairs


def alike(
    new: Pictures, known: Pictures | None, threshold: float, *, mirrors: NDArray[np.float32] | None = None
) -> tuple[Pairs, NDArray[np.bool_]]:
    """Pairs of N new pictures with one another, and with M known ones, whose numbers then go on at N.

    ``mirrors``: the new pictures' rows in a mirror, float32 ``(N, D)``. Returns the pairs and which of them show the
    same in a mirror only, bool ``(P,)``.
    """
    straight = [near_pairs(new.values, threshold)]
    if known is not None:
        straight.append(_against(new.values, known, threshold))
    if mirrors is None:
        found = Pairs.joined(straight)
        return found, np.zeros(len(found), bool)
    turned = [_folded(near_pairs(mirrors, threshold, others=new.values))]
    if known is not None:
        turned.append(_against(mirrors, known, threshold))
    return _either(Pairs.joined(straight), Pairs.joined(turned))


def _against(values: NDArray[np.float32], known: Pictures, threshold: float) -> Pairs:
    found = near_pairs(values, threshold, others=known.values)
    return Pairs(found.first, found.second + len(values), found.cosine)


def _folded(pairs: Pairs) -> Pairs:
    """Pairs in one order, without those of a picture with itself, which is often like its mirror image."""
    first, second = np.minimum(pairs.first, pairs.second), np.maximum(pairs.first, pairs.second)
    other = first != second
    return Pairs(first[other], second[other], pairs.cosine[other])


def _either(straight: Pairs, turned: Pairs) -> tuple[Pairs, NDArray[np.bool_]]:
    """Each pair once: as it is where that is in the first, else in a mirror with its larger cosine."""
    first = np.concatenate([straight.first, turned.first])
    second = np.concatenate([straight.second, turned.second])
    cosine = np.concatenate([straight.cosine, turned.cosine])
    is_turned = np.repeat([False, True], [len(straight), len(turned)])
    order = np.lexsort((-cosine, is_turned, second, first))
    is_new = (np.diff(first[order], prepend=-1) != 0) | (np.diff(second[order], prepend=-1) != 0)
    kept = order[is_new]
    return Pairs(first[kept], second[kept], cosine[kept]), is_turned[kept]


def groups(
    pairs: Pairs, is_mirrored: NDArray[np.bool_], holders: Sequence[Sequence[str]], preferred: Sequence[str]
) -> list[Group]:
    """Groups of items; ``holders`` are the URIs of each picture, ``preferred`` all of them, the one to keep first.

    Equal files are members of one group with the score 1.
    """
    rank = {uri: number for number, uri in enumerate(preferred)}
    by_rank = {node: sorted(holders[node], key=rank.__getitem__) for node in _concerned(pairs, holders)}
    order = sorted(by_rank, key=lambda node: rank[by_rank[node][0]])
    mirrored = set(zip(pairs.first[is_mirrored].tolist(), pairs.second[is_mirrored].tolist(), strict=True))
    found = []
    alone = set(by_rank)
    for star in stars(pairs, order):
        kept = star[0][0]
        members = [
            Member(uri, cosine, keep=False, mirrored=(min(kept, node), max(kept, node)) in mirrored)
            for node, cosine in star
            for uri in by_rank[node]
        ]
        members[0] = Member(members[0].uri, 1.0, keep=True)
        found.append(Group(tuple(members)))
        alone -= {node for node, _ in star}
    for node in alone:
        if len(by_rank[node]) > 1:
            first, *others = by_rank[node]
            found.append(Group((Member(first, 1.0, keep=True), *(Member(uri, 1.0, keep=False) for uri in others))))
    return sorted(found, key=lambda group: group.members[0].uri)


def _concerned(pairs: Pairs, holders: Sequence[Sequence[str]]) -> set[int]:
    """Pictures that are like another one, or that several files hold."""
    in_pairs = {*pairs.first.tolist(), *pairs.second.tolist()}
    return in_pairs | {node for node, uris in enumerate(holders) if len(uris) > 1}


def concerned_uris(pairs: Pairs, holders: Sequence[Sequence[str]]) -> list[str]:
    """The URIs about which something must be known to choose among them."""
    return list(chain.from_iterable(holders[node] for node in sorted(_concerned(pairs, holders))))
