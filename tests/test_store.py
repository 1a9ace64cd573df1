"""The store: what goes in comes out, by whom and in which order ever it was written."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest

from store_made import (
    RECIPE,
    done,
    hash_of,
    item_of,
    rows_for,
    store_with,
    values_for,
    writer_of,
)
from visfeat.frames import Label, StreamInfo
from visfeat.media.item import Kind, MediaItem
from visfeat.store.feature_store import FeatureStore, open_store
from visfeat.store.records import ItemRecord, KnownItem, LayerShape, Rows, Status


def test_features_are_sorted_by_uri_then_position(tmp_path):
    store = store_with(tmp_path / "s", {"/b.mp4": 3, "/a.png": 1, "/c.png": 1})
    values, table = open_store(store.path).features()
    assert table.schema.names == ["uri", "kind", "start_s", "end_s", "frame_index"]
    assert table["uri"].to_pylist() == ["/a.png", "/b.mp4", "/b.mp4", "/b.mp4", "/c.png"]
    assert table["kind"].to_pylist() == ["image", "video", "video", "video", "image"]
    assert table["start_s"].to_pylist() == [None, 0.0, 0.5, 1.0, None]
    assert table["end_s"].to_pylist() == [None, 0.5, 1.0, 1.5, None]
    assert table["frame_index"].to_pylist() == [None, 0, 12, 24, None]
    expected = [
        values_for(hash_of("/a.png"), [0], (4,)),
        values_for(hash_of("/b.mp4"), [0, 1, 2], (4,)),
        values_for(hash_of("/c.png"), [0], (4,)),
    ]
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.concatenate(expected))


def test_batches_are_the_same_rows(tmp_path):
    store = store_with(tmp_path / "s", {"/b.mp4": 7, "/a.png": 1, "/c.mp4": 5})
    values, table = store.features()
    batches = list(store.batches(batch_rows=4))
    assert [len(part) for part, _ in batches] == [4, 4, 4, 1]
    np.testing.assert_array_equal(np.concatenate([part for part, _ in batches]), values)
    assert pa.concat_tables([part for _, part in batches]).to_pylist() == table.to_pylist()


def test_copies_share_rows_and_each_appears(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    first, copy = item_of("/z.mp4", "same", Kind.VIDEO), item_of("/a.mp4", "same", Kind.VIDEO)
    with writer_of(store) as writer:
        writer.add(rows_for(first, [0, 1]))
        writer.finish(done(first), 2)
        writer.note(done(copy))
    values, table = store.features()
    assert table["uri"].to_pylist() == ["/a.mp4", "/a.mp4", "/z.mp4", "/z.mp4"]
    np.testing.assert_array_equal(values[:2], values[2:])
    assert writer.committed_rows == 2
    assert store.info()["recipes"][0]["layers"][0]["rows"] == 4


def test_moved_file_is_known_by_its_content(tmp_path):
    store = store_with(tmp_path / "s", {"/old.png": 1})
    moved = item_of("/new.png", "/old.png")
    assert store.outcomes(RECIPE.digest) == {moved.content_hash: Status.DONE}
    with writer_of(store) as writer:
        writer.note(done(moved))
    store.remove_items(["/old.png"])
    assert store.features()[1]["uri"].to_pylist() == ["/new.png"]


def test_changed_file_loses_its_old_rows(tmp_path):
    store = store_with(tmp_path / "s", {"/a.png": 1})
    changed = item_of("/a.png", "new content")
    with writer_of(store) as writer:
        writer.add(rows_for(changed, [0]))
        writer.finish(done(changed), 1)
    values, table = store.features()
    assert table.num_rows == 1
    np.testing.assert_array_equal(values, values_for(changed.content_hash, [0], (4,)))


def test_float16_round_trip_is_exact(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    item = item_of("/a.png")
    recipe = RECIPE.but(dtype="float16")
    values = np.array([[0.1, -65504, 6e-8, 0]], np.float32)
    rows = Rows(item.content_hash, "pool", 0, values, np.array([np.nan]), np.array([np.nan]), np.array([-1]))
    with writer_of(store, recipe) as writer:
        writer.add(rows)
        writer.finish(done(item), 1)
    stored, _ = store.features()
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, values.astype(np.float16).astype(np.float32))


def test_maps_and_tokens_keep_their_shape(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    layers = (LayerShape("map", (3, 2, 5)), LayerShape("tokens", (7, 4)))
    recipe = RECIPE.but(layers=("map", "tokens"))
    with writer_of(store, recipe, layers) as writer:
        for uri in ("/b.png", "/a.png"):
            for layer in layers:
                writer.add(rows_for(item_of(uri), [0], layer))
            writer.finish(done(item_of(uri)), 1)
    for layer in layers:
        values, _ = store.features(layer=layer.layer)
        expected = [values_for(hash_of(uri), [0], layer.shape) for uri in ("/a.png", "/b.png")]
        np.testing.assert_array_equal(values, np.concatenate(expected))
        np.testing.assert_array_equal(next(store.batches(layer=layer.layer))[0], values)


def test_labels_round_trip(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    item = item_of("/a.mp4", kind=Kind.VIDEO)
    labels = ((Label("tabby, tabby cat", 0.5), Label("lynx", 0.25)), ())
    with writer_of(store, RECIPE.but(top=2)) as writer:
        writer.add(rows_for(item, [0, 1], labels=labels))
        writer.finish(done(item), 2)
    expected = [[{"name": "tabby, tabby cat", "probability": 0.5}, {"name": "lynx", "probability": 0.25}], []]
    assert store.features()[1]["labels"].to_pylist() == expected
    assert next(store.batches())[1]["labels"].to_pylist() == expected


def test_unfinished_and_failed_items_have_no_rows(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    with writer_of(store) as writer:
        writer.add(rows_for(item_of("/unfinished.mp4", kind=Kind.VIDEO), [0, 1]))
        writer.add(rows_for(item_of("/failed.png"), [0]))
        writer.finish(done(item_of("/failed.png"), Status.FAILED, "broken"), 1)
        writer.add(rows_for(item_of("/half.mp4", kind=Kind.VIDEO), [0, 1, 2]))
        writer.finish(done(item_of("/half.mp4", kind=Kind.VIDEO), Status.PARTIAL, "cut off at 1 s"), 2)
    assert store.features()[1]["uri"].to_pylist() == ["/half.mp4", "/half.mp4"]
    assert store.failures() == [
        {"uri": "/failed.png", "status": "failed", "reason": "broken", "recipe": RECIPE.digest},
        {"uri": "/half.mp4", "status": "partial", "reason": "cut off at 1 s", "recipe": RECIPE.digest},
    ]


def test_item_that_could_not_be_read_is_a_failure_of_no_recipe(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    unread = MediaItem("/locked.jpg", 5, 6)
    with writer_of(store) as writer:
        writer.finish(ItemRecord(unread, None, Status.FAILED, "no permission"), 0)
        writer.note(ItemRecord(MediaItem("/x.txt", 1, 2, Kind.IGNORED), None, Status.IGNORED))
    assert store.failures() == [{"uri": "/locked.jpg", "status": "failed", "reason": "no permission", "recipe": None}]
    assert store.known_items() == {
        "/locked.jpg": KnownItem(5, 6, "", None, Status.FAILED),
        "/x.txt": KnownItem(1, 2, "", Kind.IGNORED, Status.IGNORED),
    }
    assert store.items("ignored")["uri"].to_pylist() == ["/x.txt"]


def test_failed_may_become_done(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    item = item_of("/a.png")
    with writer_of(store) as writer:
        writer.finish(done(item, Status.FAILED, "disk"), 0)
    with writer_of(store) as writer:
        writer.add(rows_for(item, [0]))
        writer.finish(done(item), 1)
    assert store.failures() == []
    assert len(store.features()[0]) == 1


def test_forget_makes_contents_missing_in_one_recipe_only(tmp_path):
    store = store_with(tmp_path / "s", {"/a.png": 1, "/b.png": 1})
    other = RECIPE.but(normalize=True)
    with writer_of(store, other) as writer:
        writer.add(rows_for(item_of("/a.png"), [0]))
        writer.finish(done(item_of("/a.png")), 1)
    store.forget([hash_of("/a.png")], RECIPE.digest)
    assert store.outcomes(RECIPE.digest) == {hash_of("/b.png"): Status.DONE}
    assert store.features(recipe=RECIPE.digest)[1]["uri"].to_pylist() == ["/b.png"]
    assert store.features(recipe=other.digest)[1]["uri"].to_pylist() == ["/a.png"]
    with writer_of(store) as writer:
        writer.add(rows_for(item_of("/a.png"), [0]))
        writer.finish(done(item_of("/a.png")), 1)
    values, table = store.features(recipe=RECIPE.digest)
    assert table["uri"].to_pylist() == ["/a.png", "/b.png"]
    np.testing.assert_array_equal(values[0], values_for(hash_of("/a.png"), [0], (4,))[0])


def test_media_table_holds_what_the_header_said(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    info = StreamInfo(720, 1280, 300, Fraction(30000, 1001), 10.01, 1.4, 90, "h264", ("interlaced",))
    item = item_of("/v.mp4", kind=Kind.VIDEO)
    with writer_of(store) as writer:
        writer.finish(ItemRecord(item, info, Status.DONE), 0)
    assert store.items().to_pylist() == [
        {
            "uri": "/v.mp4", "kind": "video", "format": "png", "size_bytes": 10, "mtime_ns": 20,
            "content_hash": item.content_hash, "width": 1280, "height": 720, "num_frames": 300, "duration_s": 10.01,
            "start_time_s": 1.4, "average_fps": "30000/1001", "codec": "h264", "rotation": 90,
            "notes": ["interlaced"], "status": "done", "reason": None,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    "uri", ["/it's.png", '/"q".png', "/new\nline.png", "file:///%FF.png", "/café 🐱.png", "/a%b_.png"]
)
def test_odd_uris_come_back(tmp_path, uri):
    store = store_with(tmp_path / "s", {uri: 1, "/other.png": 1})
    assert set(store.known_items()) == {uri, "/other.png"}
    assert uri in store.features()[1]["uri"].to_pylist()
    store.remove_items([uri])
    assert set(store.known_items()) == {"/other.png"}


def test_info_counts(tmp_path):
    store = store_with(tmp_path / "s", {"/a.png": 1, "/b.mp4": 5})
    info = json.loads(json.dumps(store.info()))
    assert info["items"] == {"total": 2, "by_status": {"done": 2}, "by_kind": {"image": 1, "video": 1}}
    (recipe,) = info["recipes"]
    assert recipe["layers"] == [{"layer": "pool", "shape": [4], "rows": 6}]
    assert recipe["contents"] == {"done": 2}
    assert info["size_bytes"] > 1000


def test_pandas_has_the_vectors(tmp_path):
    frame = store_with(tmp_path / "s", {"/a.png": 1, "/b.mp4": 2}).to_pandas()
    assert list(frame.columns) == ["uri", "kind", "start_s", "end_s", "frame_index", "vector"]
    np.testing.assert_array_equal(frame.vector[1], values_for(hash_of("/b.mp4"), [0], (4,))[0])


def test_types_of_the_store_come_without_lance():
    code = (
        "import sys, visfeat.store, visfeat.store.records\n"
        "assert not {'lance', 'pyarrow'} & set(sys.modules)\n"
        "visfeat.store.open_store\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
