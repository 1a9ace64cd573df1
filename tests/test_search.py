"""Exact search: against the formula, and against stores whose neighbors are known."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from store_made import LAYER, done, item_of, rows_for, store_with, writer_of
from visfeat.errors import UsageError
from visfeat.media.item import Kind
from visfeat.search import Neighbor, find_row, largest, nearest, neighbors
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import Rows


def test_nearest_follows_the_formula():
    rng = np.random.default_rng(3)
    values, query = rng.normal(size=(40_000, 8)), rng.normal(size=8)
    indices, scores = nearest(values, query, 7)
    cosine = values @ query / np.linalg.norm(values, axis=1) / np.linalg.norm(query)
    assert indices.tolist() == np.argsort(-cosine)[:7].tolist()
    np.testing.assert_allclose(scores, np.sort(cosine)[::-1][:7], rtol=1e-5)


def test_nearest_of_maps_zeros_and_few_rows():
    values = np.array([[[0, 0], [0, 0]], [[1, 0], [0, 1]], [[-1, 0], [0, -1]]], np.float32)
    indices, scores = nearest(values, values[1] * 3, 10)
    assert indices.tolist() == [1, 0, 2]
    np.testing.assert_allclose(scores, [1, 0, -1], atol=1e-6)
    assert nearest(values[:0], values[1], 3)[0].shape == (0,)
    with pytest.raises(UsageError, match="k must be at least 1"):
        nearest(values, values[0], 0)
    with pytest.raises(UsageError, match="cannot be compared"):
        nearest(values, values[0, 0], 1)


@given(arrays(np.float32, array_shapes(max_dims=1, max_side=50), elements=st.sampled_from([-1, 0, 0.5, 1])), st.data())
def test_largest_is_a_stable_sort(scores, data):
    k = data.draw(st.integers(1, len(scores) + 2))
    expected = sorted(range(len(scores)), key=lambda index: (-scores[index], index))[:k]
    indices, found = largest(scores, k)
    assert indices.tolist() == expected
    assert found.tolist() == scores[expected].tolist()


def store_of_angles(path, degrees):
    """A store whose rows point into these directions (degrees by URI and position), a row a second."""
    store = FeatureStore.create_or_open(path)
    with writer_of(store) as writer:
        for uri, angles in degrees.items():
            item = item_of(uri, kind=Kind.IMAGE if len(angles) == 1 else Kind.VIDEO)
            made = rows_for(item, range(len(angles)))
            radians = np.deg2rad(angles)
            values = np.stack([np.cos(radians), np.sin(radians), 0 * radians, 0 * radians], axis=1)
            starts = made.start_s * 2
            writer.add(Rows(item.content_hash, LAYER.layer, 0, values, starts, starts + 0.04, made.frame_index))
            writer.finish(done(item), len(angles))
    return store


def test_neighbors_of_an_image(tmp_path):
    store = store_of_angles(tmp_path / "s", {"/q.png": [0], "/near.png": [10], "/v.mp4": [50, 20, 5], "/far.png": [90]})
    with writer_of(store) as writer:
        writer.note(done(item_of("/copy.png", "/q.png")))
    found = neighbors(store, "/q.png", k=4)
    assert [(one.uri, one.start_s) for one in found] == [
        ("/copy.png", None), ("/v.mp4", 2.0), ("/near.png", None), ("/v.mp4", 1.0),
    ]  # fmt: skip
    np.testing.assert_allclose([one.score for one in found], np.cos(np.deg2rad([0, 5, 10, 20])), atol=1e-6)
    assert found[1].end_s == pytest.approx(2.04)
    assert len(neighbors(store, "/q.png", k=99)) == 6
    best = neighbors(store, "/q.png", k=99, other_items=True)
    assert [one.uri for one in best] == ["/copy.png", "/v.mp4", "/near.png", "/far.png"]


def test_neighbors_of_a_moment(tmp_path):
    store = store_of_angles(tmp_path / "s", {"/a.mp4": [0, 30, 60], "/b.mp4": [80, 31], "/c.png": [61]})
    assert neighbors(store, "/a.mp4", at_s=1.99, k=2)[0] == Neighbor(
        "/b.mp4", 1.0, 1.04, pytest.approx(np.cos(np.deg2rad(1)), abs=1e-6)
    )
    assert [one.uri for one in neighbors(store, "/a.mp4", at_s=2.5, k=3)] == ["/c.png", "/b.mp4", "/b.mp4"]
    assert [one.uri for one in neighbors(store, "/a.mp4", at_s=0.0, k=9, other_items=True)] == ["/b.mp4", "/c.png"]


def test_row_on_display(tmp_path):
    reader = store_of_angles(tmp_path / "s", {"/a.mp4": [0, 30, 60], "/b.png": [1]}).reader()
    assert [find_row(reader, "/a.mp4", at_s) for at_s in (0, 0.99, 1, 2, 2.99)] == [0, 0, 1, 2, 2]
    assert find_row(reader, "/b.png") == 3
    for uri, at_s, message in (
        ("/a.mp4", None, "say which moment of it, from 0 to 3 s"),
        ("/a.mp4", 3.0, "no row at 3 s; its rows go from 0 to 3 s"),
        ("/a.mp4", -0.5, "no row at -0.5 s"),
        ("/b.png", 1.0, "an image has no moment at 1 s"),
        ("/c.png", None, "no features of it; did you mean /b.png"),
    ):
        with pytest.raises(UsageError, match=message):
            find_row(reader, uri, at_s)


def test_relative_paths_are_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = store_with(tmp_path / "s", {str(tmp_path / "a.png"): 1, str(tmp_path / "b.png"): 1})
    assert [one.uri for one in neighbors(store, "a.png")] == [str(tmp_path / "b.png")]


def test_the_end_of_a_path_names_the_one_item_that_has_it(tmp_path):
    store = store_with(tmp_path / "s", {"/p/cats/1.png": 1, "/p/dogs/1.png": 1, "/p/dogs/2.png": 1, "/p/x2.png": 1})
    reader = store.reader()
    assert find_row(reader, "cats/1.png") == find_row(reader, "/p/cats/1.png")
    assert find_row(reader, "2.png") == find_row(reader, "/p/dogs/2.png")
    with pytest.raises(UsageError, match="1.png: 2 items of the store end so; say more of the path"):
        find_row(reader, "1.png")
