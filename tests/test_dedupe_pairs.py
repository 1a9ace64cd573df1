"""Pairs and groups: against all cosines, in any blocks, by bound and by index; groups whatever the order."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from dedupe_made import directions, near
from visfeat.dedupe import pairs as pairs_module
from visfeat.dedupe.groups import stars
from visfeat.dedupe.neighbors import pairs_by_index
from visfeat.dedupe.pairs import Pairs, pairs_above
from visfeat.dedupe.thresholds import automatic, usual_neighbor
from visfeat.errors import UsageError


def as_set(pairs: Pairs) -> set[tuple[int, int]]:
    return set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))


def scenes(count: int, seed: int = 1) -> np.ndarray:
    """Vectors in bundles of five, of cosines about 0.9 within one; the last is a row of zeros."""
    middles = np.repeat(directions(count // 5, seed), 5, axis=0)
    values = near(middles, 0.95, seed)
    values[-1] = 0
    return values


@pytest.mark.parametrize("block_rows", [1, 7, 64, 5000])
def test_chunked_pairs_are_those_of_the_whole_matrix(block_rows):
    values = scenes(200)
    cosine = values @ values.T
    expected = {(i, j) for i in range(200) for j in range(i + 1, 200) if cosine[i, j] >= 0.8}
    found = pairs_above(values, 0.8, block_rows=block_rows)
    assert as_set(found) == expected
    assert len(expected) > 200
    np.testing.assert_allclose(found.cosine, cosine[found.first, found.second], atol=1e-6)
    keys = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert keys == sorted(keys)


def test_pairs_with_others_keep_both_orders_and_equal_rows_reach_one():
    values = directions(6)
    others = np.concatenate([values[3:4], values[1:2]])
    found = pairs_above(values, 1.0, others=others)
    assert as_set(found) == {(1, 1), (3, 0)}
    assert found.cosine.max() <= 1.0
    assert len(pairs_above(values[:0], 0.5)) == 0


def test_the_bound_gives_exactly_what_the_product_gives():
    random = np.random.default_rng(5)
    # A spectrum that falls as that of features does.
    values = random.gamma(0.5, size=(1500, 96)) * (1 + np.arange(96)) ** -1.0
    values[1000:1100] = values[:100] + 0.005 * random.random((100, 96))
    values = (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)
    assert pairs_module._sieve(values, values, 0.995) is not None
    found = as_set(pairs_above(values, 0.995, sifted_pairs=0))
    assert found == {tuple(pair) for pair in np.argwhere(np.triu(values @ values.T >= 0.995 - 1e-6, 1)).tolist()}
    assert len(found & {(number, number + 1000) for number in range(100)}) > 60
    others = as_set(pairs_above(values[:700], 0.995, others=values[700:], sifted_pairs=0))
    assert others == {(first, second - 700) for first, second in found if first < 700 <= second}


def test_an_index_finds_the_same_pairs_where_they_are_many():
    values = scenes(3000)
    values[100:140] = near(np.repeat(values[:1], 40, axis=0), 0.99)  # more neighbors than are asked for at first
    exact, approximate = (as_set(find(values, 0.8)) for find in (pairs_above, pairs_by_index))
    assert approximate <= exact
    assert len(approximate) >= 0.98 * len(exact)


@given(
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.sampled_from([0.75, 0.875, 0.9375])), max_size=40),
    st.permutations(range(12)),
    st.randoms(use_true_random=False),
)
def test_groups_depend_on_the_preference_and_not_on_the_order_of_pairs(edges, order, random):
    unique = {(min(a, b), max(a, b)): cosine for a, b, cosine in edges if a != b}
    listed = [(a, b, cosine) for (a, b), cosine in unique.items()]
    groups = stars(_pairs(listed), order)
    random.shuffle(listed)
    assert stars(_pairs([(b, a, cosine) for a, b, cosine in listed]), order) == groups
    members = [node for group in groups for node, _ in group]
    assert len(members) == len(set(members))
    kept = {group[0][0] for group in groups}
    rank = {node: number for number, node in enumerate(order)}
    for group in groups:
        for node, cosine in group[1:]:
            assert cosine == unique[min(node, group[0][0]), max(node, group[0][0])]  # like the one that is kept
            assert rank[node] > rank[group[0][0]]
    for a, b in unique:
        assert not (a in kept and b in kept)  # two that are alike are not both kept


def _pairs(edges):
    first, second, cosine = (np.array(column) for column in zip(*edges, strict=True)) if edges else (np.empty(0),) * 3
    return Pairs(first.astype(np.int64), second.astype(np.int64), cosine.astype(np.float32))


def test_a_chain_is_not_one_group():
    chain = _pairs([(0, 1, 0.9), (1, 2, 0.9), (2, 3, 0.9)])
    groups = stars(chain, [0, 1, 2, 3])
    assert [[node for node, _ in group] for group in groups] == [[0, 1], [2, 3]]


def test_the_automatic_threshold_lies_between_strangers_and_copies():
    values = directions(1500)
    copied = np.concatenate([values, near(values[:200], 0.97)])
    threshold = automatic(usual_neighbor(copied))
    strangers = np.sort((values @ values.T - 2 * np.eye(1500)).max(axis=1))
    assert strangers[-30] < threshold < 0.97
    assert abs(automatic(usual_neighbor(values)) - threshold) < 0.1  # copies hardly move it
    with pytest.raises(UsageError, match="too few"):
        automatic(np.zeros(3, np.float32))
