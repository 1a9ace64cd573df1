"""A stored index with what came later is exact on small data, and forgotten rows never answer."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from store_made import LAYER, done, hash_of, item_of, rows_for, writer_of
from visfeat.errors import StoreError, UsageError
from visfeat.media.item import Kind
from visfeat.search import search
from visfeat.search.best import recall_at
from visfeat.search.indexed import IndexedRows
from visfeat.search.recall import check_recall
from visfeat.search.stored_index import build_stored_index, drop_stored_index, open_stored_index
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import Rows


def add(store, names, seed, length=1):
    """Items of random directions, videos where ``length`` is more than 1, committed at once."""
    rng = np.random.default_rng(seed)
    with writer_of(store) as writer:
        for name in names:
            item = item_of(name, kind=Kind.IMAGE if length == 1 else Kind.VIDEO)
            made = rows_for(item, range(length))
            values = rng.normal(size=(length, 4)).cumsum(axis=0) + 2
            writer.add(Rows(item.content_hash, LAYER.layer, 0, values, made.start_s, made.end_s, made.frame_index))
            writer.finish(done(item), length)


def names(first, stop, ending="png"):
    return [f"/{number:04d}.{ending}" for number in range(first, stop)]


def answers(store, question, **options):
    found = search(store, vector=question, **options).passages
    return [(one.uri, one.start_s, one.end_s, one.at_s) for one in found]


def test_the_index_answers_as_all_rows_do(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    add(store, names(0, 300), seed=0)
    add(store, names(300, 310, "mp4"), seed=1, length=9)
    built = build_stored_index(store)
    assert built.rows == 390
    assert built.recall >= 0.97
    assert built.size_bytes > 390 * 16
    for seed in range(10):
        question = np.random.default_rng(seed).normal(size=4)
        exact = answers(store, question, k=8, exact=True)
        assert len(set(exact) & set(answers(store, question, k=8))) >= 6, seed
    assert build_stored_index(store).path == built.path  # nothing new: it stays
    found = check_recall(store)
    assert found.recall > 0.9
    assert (found.queries, found.rows, found.later_rows) == (200, 390, 0)
    assert found.summary.startswith(f"recall@10 {found.recall:.3f} on 200 of 390 rows: ")


@given(st.lists(st.sampled_from(["add", "forget", "remove", "index"]), max_size=5))
@settings(max_examples=8)
def test_whatever_happens_to_a_store_the_index_with_the_later_rows_is_exact(tmp_path_factory, steps):
    store = FeatureStore.create_or_open(tmp_path_factory.mktemp("index") / "s")
    add(store, names(0, 40), seed=0)
    build_stored_index(store)
    digest, count = store.recipes()[0].digest, 40
    for number, step in enumerate(steps):
        if step == "add":
            add(store, names(count, count + 7), seed=count)
            count += 7
        elif step == "forget":
            store.forget([hash_of(name) for name in names(number * 3, number * 3 + 5)], digest)
        elif step == "remove":
            store.remove_items(names(number * 3 + 1, number * 3 + 4))
        else:
            build_stored_index(store)
    reader = store.reader()
    indexed = IndexedRows.of(store.path, reader)
    indexed = IndexedRows(
        reader, type(indexed.stored)(indexed.stored.index, 10_000, 1.0), indexed.addresses, indexed.later
    )
    values = np.concatenate([rows for _, rows in reader.stored_values()])
    cosines = values / np.linalg.norm(values, axis=1, keepdims=True) @ np.array([0.5, 0.5, 0.5, 0.5], np.float32)
    offsets, scores = indexed.nearest(np.ones((1, 4), np.float32), 12)
    expected = np.argsort(-cosines, kind="stable")[:12]
    np.testing.assert_allclose(scores[0, : len(expected)], cosines[expected], atol=1e-6)
    assert set(offsets[0].tolist()) - {-1} == set(expected.tolist())
    known = set(reader.join.uris)
    assert {uri for uri, *_ in answers(store, np.ones(4), k=99)} <= known


def test_rows_that_came_later_and_rows_that_are_gone(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    add(store, names(0, 50), seed=0)
    build_stored_index(store)
    best = answers(store, np.ones(4), k=1)[0][0]
    item = item_of("/new.png")
    with writer_of(store) as writer:
        made = rows_for(item, range(1))
        writer.add(Rows(item.content_hash, LAYER.layer, 0, np.ones((1, 4)), made.start_s, made.end_s, made.frame_index))
        writer.finish(done(item), 1)
    assert [uri for uri, *_ in answers(store, np.ones(4), k=2)] == ["/new.png", best]
    assert check_recall(store).later_rows == 1
    assert ", 1 of them since it was built" in check_recall(store).summary
    digest = store.recipes()[0].digest
    store.forget([item.content_hash, hash_of(best)], digest)
    assert {uri for uri, *_ in answers(store, np.ones(4), k=60)} == set(names(0, 50)) - {best}


def test_an_index_is_dropped_and_a_damaged_one_says_so(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    add(store, names(0, 20), seed=0)
    assert not drop_stored_index(store)
    with pytest.raises(UsageError, match="no index to check; visfeat index"):
        check_recall(store)
    built = build_stored_index(store)
    (built.path / "ids.npy").write_bytes(b"x")
    with pytest.raises(StoreError, match="damaged.*visfeat index"):
        search(store, vector=np.ones(4))
    assert search(store, vector=np.ones(4), exact=True).passages
    assert drop_stored_index(store)
    assert open_stored_index(store.path, store.reader()) is None
    assert list((tmp_path / "s" / "indexes").iterdir()) == []


def test_a_damaged_index_is_built_anew_and_nothing_else_is_removed(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    add(store, names(0, 20), seed=0)
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").touch()
    pointer = build_stored_index(store).path.parent / f"{store.reader().space.table_name}.json"
    for text in ('{"format": 1, "folder": "../../other"}', "[1]", "{", '{"format": 1, "folder": 3}'):
        pointer.write_text(text)
        with pytest.raises(StoreError, match="damaged.*builds it anew"):
            search(store, vector=np.ones(4))
        assert build_stored_index(store).path.parent == pointer.parent
        assert search(store, vector=np.ones(4)).passages
    (build_stored_index(store).path / "ids.npy").write_bytes(b"x")
    assert build_stored_index(store).rows == 20
    assert search(store, vector=np.ones(4)).passages
    assert (other / "precious").exists()


def test_recall_counts_what_is_true():
    truth = np.array([[1, 2, -1], [3, 4, 5]])
    assert recall_at(np.array([[1, 9, -1], [5, 4, 3]]), truth) == 4 / 5
    assert recall_at(np.full((1, 2), -1), np.full((1, 2), -1)) == 1.0
