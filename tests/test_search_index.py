"""Indexes: exact ones against brute force, an inverted file against its own laws and against recall."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from visfeat.errors import UsageError
from visfeat.search.faiss_index import FaissIndex
from visfeat.search.index import EXACT_ROWS, ExactIndex, build_index
from visfeat.search.inverted import InvertedIndex

FEW = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])


def cosines_of(values, queries):
    rows, asked = (each.astype(np.float64) for each in (values, queries))
    lengths = np.linalg.norm(asked, axis=1)[:, None] * np.linalg.norm(rows, axis=1)
    return np.divide(asked @ rows.T, lengths, out=np.zeros(lengths.shape), where=lengths > 0)


def brute_force(values, queries, k):
    """Indices and cosines; of equal ones the lower index first."""
    cosines = cosines_of(values, queries)
    order = np.argsort(-cosines.round(6), axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(cosines, order, axis=1)


def clustered(rows, width, seed=0, centers=50):
    rng = np.random.default_rng(seed)
    middles = np.random.default_rng(7).normal(size=(centers, width))
    return (middles[rng.integers(centers, size=rows)] + 0.5 * rng.normal(size=(rows, width))).astype(np.float32)


def test_exact_is_brute_force_over_many_blocks():
    values, queries = clustered(40_000, 16), clustered(300, 16, seed=1)
    found, cosines = ExactIndex(values).search(queries, 7)
    expected, scores = brute_force(values, queries, 7)
    np.testing.assert_allclose(cosines, scores, atol=1e-6)
    assert (found == expected).mean() > 0.999  # two that differ by a rounding may change places
    assert found.dtype == np.int64
    assert cosines.dtype == np.float32


@given(st.data())
def test_exact_is_brute_force_also_with_ties_and_zeros(data):
    rows, width = data.draw(st.integers(0, 30)), data.draw(st.integers(1, 4))
    values = data.draw(arrays(np.float32, (rows, width), elements=FEW))
    queries = data.draw(arrays(np.float32, (data.draw(st.integers(0, 3)), width), elements=FEW))
    k = data.draw(st.integers(1, 35))
    found, cosines = ExactIndex(values).search(queries, k)
    _, scores = brute_force(values, queries, k)
    assert found.shape == cosines.shape == (len(queries), k)
    there = min(k, rows)
    np.testing.assert_allclose(cosines[:, :there], scores, atol=1e-6)
    assert (found[:, there:] == -1).all()
    assert np.isneginf(cosines[:, there:]).all()
    # The same cosines, whichever of equal rows were taken; each once.
    np.testing.assert_allclose(np.take_along_axis(cosines_of(values, queries), found[:, :there], 1), scores, atol=1e-6)
    assert all(len(set(row)) == there for row in found[:, :there].tolist())


def test_of_equal_rows_the_first_ones_are_found():
    values = np.ones((5000, 4), np.float32)
    found, _ = ExactIndex(values).search(values[:1], 10)
    assert found.tolist() == [list(range(10))]


def test_half_precision_and_maps_are_searched_as_they_are():
    values = clustered(3000, 12).astype(np.float16).reshape(3000, 3, 4)
    found, cosines = ExactIndex(values).search(values[:5].reshape(5, 12), 3)
    assert found[:, 0].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(cosines[:, 0], 1, atol=1e-6)


BOTH = pytest.mark.parametrize("kind", [InvertedIndex, FaissIndex])


@BOTH
@given(rows=st.integers(1, 200), seed=st.integers(0, 5), k=st.integers(1, 12))
def test_an_inverted_file_that_looks_everywhere_is_exact(kind, rows, seed, k):
    values, queries = clustered(rows, 5, seed), clustered(4, 5, seed + 100)
    found, cosines = kind.build(values, seed=seed).search(queries, k, probes=10_000)
    expected, exact = ExactIndex(values).search(queries, k)
    np.testing.assert_allclose(cosines, exact, atol=1e-6)
    assert (found == expected).mean() > 0.95  # two that differ by a rounding may change places


@BOTH
def test_an_inverted_file_finds_most_of_what_is_near_and_is_the_same_every_time(kind, tmp_path):
    values, queries = clustered(20_000, 32), clustered(100, 32, seed=9)
    index = kind.build(values, seed=3)
    found, _ = index.search(queries, 10)
    expected, _ = ExactIndex(values).search(queries, 10)
    hits = [len(set(one) & set(other)) for one, other in zip(found.tolist(), expected.tolist(), strict=True)]
    assert np.mean(hits) / 10 > 0.9
    again, _ = kind.build(values, seed=3).search(queries, 10)
    assert (found == again).all()
    index.save(tmp_path)
    opened = kind.open(tmp_path)
    assert (opened.search(queries, 10)[0] == found).all()
    assert (len(opened), opened.lists) == (20_000, index.lists)
    assert sorted(opened.ids.tolist()) == list(range(20_000))


@BOTH
def test_rows_are_named_as_they_are_told(kind):
    values, names = clustered(100, 8), np.arange(100) * 2**33 + 7
    found, _ = kind.build(values, ids=names).search(values, 1, probes=999)
    assert found[:, 0].tolist() == names.tolist()


def test_which_index_is_built():
    values = clustered(100, 4)
    assert isinstance(build_index(values), ExactIndex)
    assert isinstance(build_index(values, approximate=True), FaissIndex)
    assert EXACT_ROWS >= 10_000
    assert len(build_index(values)) == len(build_index(values, approximate=True)) == 100
    assert build_index(values[:0]).search(values, 2)[0].tolist() == [[-1, -1]] * 100


@pytest.mark.parametrize("approximate", [False, True])
def test_what_no_index_takes(approximate):
    values = clustered(50, 4)
    index = build_index(values, approximate=approximate)
    with pytest.raises(UsageError, match=r"vectors of 4 values.*got shape \(1, 5\)"):
        index.search(np.ones((1, 5), np.float32), 1)
    with pytest.raises(UsageError, match="not finite"):
        index.search(np.full((1, 4), np.nan, np.float32), 1)
    with pytest.raises(UsageError, match="k must be at least 1"):
        index.search(values, 0)
    values[17, 2] = np.inf
    with pytest.raises(UsageError, match="row 17 of 50"):
        build_index(values, approximate=approximate)
