"""How alike two recipes see the same items: linear CKA and representational similarity.

Both compare what a recipe says of all pairs of items. Here that is a vector of length 1, the recipe's profile, made
so that the number wanted is the inner product of two profiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_ITEMS = 1000
"""Of more items, so many are drawn: a profile has their number squared."""

Vectors = NDArray[np.floating[Any]]
Profile = NDArray[np.float32]


def cka_profile(values: Vectors) -> Profile:
    """Linear CKA, ``|Y'X|² / (|X'X| |Y'Y|)`` of centered values (Frobenius norms; Kornblith et al. 2019, eq. 4).

    values: ``(N, D)``. By way of the items' inner products ``XX'``, which give the same number. 0 to 1; where items
    are not many more than values it is high whatever is compared.
    """
    centered = _centered(values)
    return _unit((centered @ centered.T).ravel())


def debiased_cka_profile(values: Vectors) -> Profile:
    """The same with the unbiased estimate of the inner product (Song et al. 2012, HSIC_1), about 0 for unrelated ones.

    values: ``(N, D)``; fewer than four items tell nothing, which counts as 0. It can be less than 0.
    """
    centered = _centered(values)
    if len(centered) < 4:
        return np.zeros(len(centered) ** 2, np.float32)
    products = centered @ centered.T
    np.fill_diagonal(products, 0.0)
    number = len(products)
    sums = products.sum(axis=1, keepdims=True)
    products += sums.sum() / ((number - 1) * (number - 2)) - (sums + sums.T) / (number - 2)
    np.fill_diagonal(products, 0.0)
    return _unit(products.ravel())


def rsa_profile(values: Vectors) -> Profile:
    """Spearman's correlation of dissimilarities (Kriegeskorte, Mur and Bandettini 2008), -1 to 1.

    The dissimilarity of two items of ``(N, D)`` is 1 minus the correlation of their values; of equal ones the ranks
    are averaged.
    """
    rows = np.asarray(values, np.float64)
    rows = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    # Rounded, so that what is equal but for the last bits is a tie.
    dissimilar = np.round(1 - (rows @ rows.T)[np.triu_indices(len(rows), 1)], 12)
    _, place, times = np.unique(dissimilar, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[place]
    return _unit(ranks - ranks.mean())


MEASURES: Mapping[str, Callable[[Vectors], Profile]] = {
    "cka": cka_profile,
    "cka_debiased": debiased_cka_profile,
    "rsa": rsa_profile,
}


def linear_cka(first: Vectors, second: Vectors) -> float:
    """``cka_profile`` of two recipes' values of the same items, ``(N, D)`` and ``(N, E)``, compared."""
    return float(cka_profile(first) @ cka_profile(second))


def debiased_cka(first: Vectors, second: Vectors) -> float:
    """``debiased_cka_profile`` of two recipes' values of the same items, compared."""
    return float(debiased_cka_profile(first) @ debiased_cka_profile(second))


def rsa(first: Vectors, second: Vectors) -> float:
    """``rsa_profile`` of two recipes' values of the same items, compared."""
    return float(rsa_profile(first) @ rsa_profile(second))


def drawn_items(number: int, *, seed: int = 0, most: int = MOST_ITEMS) -> NDArray[np.int64]:
    """The items whose pairs are compared: all, or ``most`` of them by seed, in order."""
    if number <= most:
        return np.arange(number)
    return np.sort(np.random.default_rng(seed).choice(number, most, replace=False))


def between(profiles: Sequence[Profile]) -> NDArray[np.float64]:
    """The measure between all pairs of recipes, ``(R, R)``."""
    stacked = np.stack(profiles)
    return np.asarray(stacked @ stacked.T, np.float64)


def _centered(values: Vectors) -> NDArray[np.float64]:
    rows = np.asarray(values, np.float64)
    return np.asarray(rows - rows.mean(axis=0))


def _unit(profile: NDArray[np.float64]) -> Profile:
    """A profile of zeros, of items that are all alike, stays one: it is like nothing."""
    length = np.linalg.norm(profile)
    return np.asarray(profile / length if length > 0 else profile, np.float32)
