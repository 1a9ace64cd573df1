"""The store under processes that are killed, that write at once, and in a database that knows nothing of us."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from store_made import LAYER, RECIPE, done, hash_of, item_of, rows_for, store_with, values_for, writer_of
from visfeat.media.item import Kind
from visfeat.store.feature_store import FeatureStore, open_store
from visfeat.store.records import Status

HERE = Path(__file__).parent


def process(store: Path, first: int, stop: int) -> subprocess.Popen[str]:
    """Start tests/store_process.py on the store."""
    source = HERE.parent / "src"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(source)])}
    command = [sys.executable, str(HERE / "store_process.py"), str(store), str(first), str(stop)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def assert_is_the_corpus(path: Path, stop: int) -> None:
    """The store holds what one undisturbed run over [0, stop) leaves."""
    store = open_store(path)
    values, table = store.features()
    expected = [(f"/video{number:03d}.mp4", position) for number in range(stop) for position in range(1 + number % 4)]
    assert table["uri"].to_pylist() == [uri for uri, _ in expected]
    assert table["frame_index"].to_pylist() == [12 * position for _, position in expected]
    wanted = [values_for(hash_of(uri), [position], LAYER.shape) for uri, position in expected]
    np.testing.assert_array_equal(values, np.concatenate(wanted))
    assert set(store.outcomes(RECIPE.digest).values()) == {Status.DONE}
    assert len(store.known_items()) == stop


def test_killed_at_any_moment_then_resumed(tmp_path):
    stop, acknowledged = 12, set()
    for kills in range(4):
        writing = process(tmp_path / "s", 0, stop)
        assert writing.stdout is not None
        for _ in range(2):
            line = writing.stdout.readline()
            if line:
                acknowledged.add(int(line))
        if kills % 2:
            threading.Event().wait(0.003 * kills)
        writing.kill()
        writing.communicate()
        known = open_store(tmp_path / "s").features()[1]["uri"].to_pylist()
        for number in acknowledged:
            assert known.count(f"/video{number:03d}.mp4") == 1 + number % 4
        # What is not finished does not count, though its rows may be there.
        for uri in set(known):
            assert known.count(uri) == 1 + int(uri[6:9]) % 4
    last = process(tmp_path / "s", 0, stop)
    last.communicate()
    assert last.returncode == 0
    assert_is_the_corpus(tmp_path / "s", stop)


def test_two_processes_create_a_store_and_write_the_same_keys(tmp_path):
    writing = [process(tmp_path / "s", 0, 20) for _ in range(2)]
    for one in writing:
        one.communicate()
    assert [one.returncode for one in writing] == [0, 0]
    assert_is_the_corpus(tmp_path / "s", 20)


def test_threads_share_a_writer(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    uris = [f"/{number:03d}.mp4" for number in range(60)]
    with writer_of(store) as writer:

        def work(part: list[str]) -> None:
            for uri in part:
                item = item_of(uri, kind=Kind.VIDEO)
                writer.add(rows_for(item, [0, 1]))
                writer.finish(done(item), 2)
                writer.commit()

        threads = [threading.Thread(target=work, args=(uris[start::3],)) for start in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert store.features()[1]["uri"].to_pylist() == [uri for uri in uris for _ in range(2)]
    assert (writer.committed_rows, writer.committed_items) == (120, 60)


def test_many_small_commits_are_compacted(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    uris = [f"/{number:03d}.png" for number in range(110)]
    with writer_of(store) as writer:
        for uri in uris:
            writer.add(rows_for(item_of(uri), [0]))
            writer.finish(done(item_of(uri)), 1)
            writer.commit()
    reader = store.reader()
    # A scan gives a batch a file: the 100 first commits share one, the rest have one each.
    assert [batch.num_rows for batch in reader.table.scan(["position"])] == [100, *[1] * 10]
    assert store.features()[1]["uri"].to_pylist() == uris
    store.forget([hash_of(uris[0])], RECIPE.digest)
    values, table = store.features()
    assert table["uri"].to_pylist() == uris[1:]
    np.testing.assert_array_equal(values[0], values_for(hash_of(uris[1]), [0], LAYER.shape)[0])
    np.testing.assert_array_equal(next(store.batches())[0], values)  # taken by offsets, which skip what is deleted


STEPS = st.lists(
    st.one_of(
        st.sampled_from(["commit", "reopen", "forget"]),
        st.tuples(st.sampled_from("abc"), st.lists(st.integers(1, 3), min_size=1, max_size=3)),
    ),
    max_size=10,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_split_into_rows_commits_and_writers_gives_the_same(tmp_path_factory, steps):
    lengths = {"a": 2, "b": 3, "c": 5}
    store = FeatureStore.create_or_open(tmp_path_factory.mktemp("split") / "s")
    writer = writer_of(store)
    for step in [*steps, *((name, [1]) for name in lengths)]:
        if step == "commit":
            writer.commit()
        elif step == "reopen":
            writer.close()
            writer = writer_of(open_store(store.path))
        elif step == "forget":
            writer.close()
            store.forget([item_of("/a").content_hash], RECIPE.digest)
            writer = writer_of(store)
        else:
            name, sizes = step
            write_in_parts(writer, name, lengths[name], sizes)
    writer.close()
    values, table = store.features()
    assert table["uri"].to_pylist() == ["/a"] * 2 + ["/b"] * 3 + ["/c"] * 5
    expected = [values_for(hash_of(f"/{name}"), range(length), LAYER.shape) for name, length in lengths.items()]
    np.testing.assert_array_equal(values, np.concatenate(expected))
    batches = list(store.batches(batch_rows=3))
    np.testing.assert_array_equal(np.concatenate([part for part, _ in batches]), values)
    assert [uri for _, part in batches for uri in part["uri"].to_pylist()] == table["uri"].to_pylist()


def write_in_parts(writer, name, length, sizes):
    """All rows of an item, in parts of these sizes, over and over, then its outcome."""
    item, start = item_of(f"/{name}", kind=Kind.VIDEO), 0
    while start < length:
        stop = min(length, start + sizes[start % len(sizes)])
        writer.add(rows_for(item, range(start, stop)))
        start = stop
    writer.finish(done(item), length)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_lancedb_opens_the_folder(tmp_path):
    lancedb = pytest.importorskip("lancedb")
    store = store_with(tmp_path / "s", {"/a.png": 1, "/b.mp4": 3})
    database = lancedb.connect(str(store.path))
    table = store.spaces()[0].table_name
    names = database.list_tables().tables if hasattr(database, "list_tables") else database.table_names()
    assert set(names) == {"media", "recipes", "extractions", table}
    query = values_for(hash_of("/b.mp4"), [2], LAYER.shape)[0]
    (best,) = database.open_table(table).search(query).limit(1).to_list()
    assert (best["content_hash"], best["position"], best["_distance"]) == (hash_of("/b.mp4"), 2, 0.0)
    assert database.open_table("media").count_rows() == 2
