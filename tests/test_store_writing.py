"""Writing a store: whole commits, refusals, and folders and tables that are not what they should be."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from store_made import (
    RECIPE,
    done,
    item_of,
    rows_for,
    store_with,
    writer_of,
)
from visfeat.errors import StoreError
from visfeat.media.item import Kind, MediaItem
from visfeat.store.feature_store import FeatureStore, open_store
from visfeat.store.records import LayerShape, Rows


def test_damaged_table_is_named(tmp_path):
    store = store_with(tmp_path / "s", {"/a.png": 1})
    for data in store.path.glob("features_*/data/*.lance"):
        data.write_bytes(b"no data file")
    with pytest.raises(StoreError, match=r"features_.*_pool\.lance: cannot be read"):
        store.features()
    for manifest in store.path.glob("media.lance/_versions/*.manifest"):
        manifest.write_bytes(b"no manifest")
    with pytest.raises(StoreError, match=r"media\.lance: cannot be opened"):
        store.known_items()


@pytest.mark.parametrize("lost", ["features_*", "extractions", "media"])
def test_commit_that_breaks_off_counts_nothing_that_is_not_there(tmp_path, lost):
    store = FeatureStore.create_or_open(tmp_path / "s")
    writer = writer_of(store)
    writer.add(rows_for(item_of("/a.png"), [0]))
    writer.finish(done(item_of("/a.png")), 1)
    (folder,) = store.path.glob(f"{lost}.lance")
    shutil.rmtree(folder)
    with pytest.raises(StoreError, match=r"\.lance: cannot be written"):
        writer.commit()
    # Rows, then the content's outcome, then the item.
    assert len(store.outcomes(RECIPE.digest)) == (1 if lost == "media" else 0)
    assert store.known_items() == {}
    with pytest.raises(StoreError, match="after an error"):
        writer.finish(done(item_of("/b.png")), 1)
    writer.close()
    assert store.known_items() == {}


def test_layers_whose_names_differ_in_odd_signs_do_not_meet(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    names = ("a#0", "a_0", "A_0", "a/0", "é" * 200)
    layers = tuple(LayerShape(name, (index + 1,)) for index, name in enumerate(names))
    with writer_of(store, RECIPE.but(layers=names), layers) as writer:
        for layer in layers:
            writer.add(rows_for(item_of("/a.png"), [0], layer))
        writer.finish(done(item_of("/a.png")), 1)
    for layer in layers:
        assert store.features(layer=layer.layer)[0].shape == (1, *layer.shape)


def test_writer_refuses_what_is_no_feature(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    item = item_of("/a.png")
    writer = writer_of(store, RECIPE.but(dtype="float16"))
    one = np.array([np.nan])
    for values in ([[1, 2, np.nan, 4]], [[1, 2, 3, 1e6]]):
        with pytest.raises(StoreError, match="not finite"):
            writer.add(Rows(item.content_hash, "pool", 0, np.array(values), one, one, np.array([-1])))
    with pytest.raises(StoreError, match=r"shape \(4,\); got \(5,\)"):
        writer.add(Rows(item.content_hash, "pool", 0, np.zeros((1, 5)), one, one, np.array([-1])))
    with pytest.raises(StoreError, match="no layer 'fc'"):
        writer.add(Rows(item.content_hash, "fc", 0, np.zeros((1, 4)), one, one, np.array([-1])))
    with pytest.raises(StoreError, match="content hash"):
        writer.finish(done(MediaItem("/a.png", 1, 2)), 1)
    writer.close()
    assert len(store.features()[0]) == 0


def test_writer_commits_by_itself(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    wide = LayerShape("pool", (2**20,))
    item = item_of("/a.mp4", kind=Kind.VIDEO)
    writer = writer_of(store, layers=(wide,))
    for position in range(33):  # 4 MB each
        writer.add(rows_for(item, [position], wide))
    assert writer.committed_rows == 32
    writer.finish(done(item), 33)
    assert writer.committed_items == 0
    writer.close()
    assert (writer.committed_rows, writer.committed_items) == (33, 1)
    assert store.features()[0].shape == (33, 2**20)


def test_writer_commits_after_some_thousand_rows(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    item = item_of("/a.mp4", kind=Kind.VIDEO)
    with writer_of(store) as writer:
        writer.add(rows_for(item, range(3999)))
        assert writer.committed_rows == 0
        writer.add(rows_for(item, [3999]))
        assert writer.committed_rows == 4000
        writer.finish(done(item), 4000)
    assert len(store.features()[0]) == 4000


def test_folder_that_is_no_store(tmp_path):
    with pytest.raises(StoreError, match="no such store; visfeat extract"):
        open_store(tmp_path / "missing")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(StoreError, match=r"not empty \(it holds 'cat.jpg'\)"):
        FeatureStore.create_or_open(tmp_path / "photos")
    with pytest.raises(StoreError, match="not a visfeat store"):
        open_store(tmp_path / "photos")
    with pytest.raises(StoreError, match="cannot become a store"):
        FeatureStore.create_or_open(tmp_path / "photos" / "cat.jpg")


def test_store_of_a_newer_format_is_refused(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    marker = store.path / "visfeat-store.json"
    marker.write_text(json.dumps({"format_version": 2, "readable_since": "0.9.0"}))
    for opening in (open_store, FeatureStore.create_or_open):
        with pytest.raises(StoreError, match=r"format 2, which visfeat 0\.9\.0 and later read"):
            opening(store.path)
