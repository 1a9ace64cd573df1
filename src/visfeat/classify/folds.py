"""Folds for cross-validation: rows of one group never part, and no class leaves the training rows where it can stay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

MOST_FOLDS = 5
NEVER_HELD_OUT = -1


def deal(codes: Ints, groups: Ints, *, seed: int, most: int = MOST_FOLDS) -> Ints:
    """The fold of each row: int64 ``(n,)``, from 0 on; all ``NEVER_HELD_OUT`` where cross-validation is not possible.

    codes, groups: int64 ``(n,)``. A group counts for its most frequent class. The groups of each class, shuffled by the
    seed, are dealt to the folds like cards, one class going on where the other ended: folds are equally large, and a
    class of two groups or more is in the training rows of every fold. The only group of a class is never held out.
    """
    names, group = np.unique(groups, return_inverse=True)
    majority = _majority(codes, group, len(names))
    members = {code: np.flatnonzero(majority == code) for code in np.unique(majority).tolist()}
    dealt = [one for one in members.values() if len(one) > 1]
    folds = min(most, sum(len(one) for one in dealt))
    fold_of = np.full(len(names), NEVER_HELD_OUT, np.int64)
    random, next_card = np.random.default_rng(seed), 0
    for one in dealt:
        fold_of[random.permutation(one)] = (next_card + np.arange(len(one))) % folds
        next_card += len(one)
    return np.asarray(fold_of[group])


def _majority(codes: Ints, group: Ints, count: int) -> Ints:
    """The most frequent class of each of ``count`` groups; of equally frequent ones the first."""
    pairs, times = np.unique(np.stack([group, codes]), axis=1, return_counts=True)
    order = np.lexsort((-pairs[1], times, pairs[0]))
    majority = np.zeros(count, np.int64)
    majority[pairs[0][order]] = pairs[1][order]  # the last one of a group stays
    return majority


def drawn(groups: Ints, most: int, *, seed: int) -> NDArray[np.bool_]:
    """Which rows are kept, bool ``(n,)``: whole groups, drawn by the seed, until they have ``most`` rows or more."""
    names, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    before = np.cumsum(sizes[order]) - sizes[order]
    kept = np.zeros(len(names), bool)
    kept[order[before < most]] = True
    return np.asarray(kept[group])
