"""Exports hold the rows of ``features``, in their order, and say what they are."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from store_made import LAYER, RECIPE, done, item_of, rows_for, store_with, writer_of
from visfeat.errors import StoreError, UsageError
from visfeat.frames import Label
from visfeat.media.item import Kind, MediaItem
from visfeat.plugins import plugins
from visfeat.recipe import Recipe
from visfeat.store.exporter import Exporter
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import ItemRecord, LayerShape, Status

COLUMNS = ["uri", "kind", "model", "layer", "start_s", "end_s", "frame_index", "vector"]


def exporter(name: str) -> Exporter:
    made = plugins("visfeat.exporters")[name].load()()
    assert isinstance(made, Exporter)
    return made


def store_of_two_recipes(path: Path) -> FeatureStore:
    store = store_with(path, {"/b.mp4": 3, "/a,b\n.png": 1})
    layers = (LayerShape("map#0", (2, 3, 3)), LayerShape("fc", (5,)))
    item = item_of("/a,b\n.png")
    with writer_of(store, RECIPE.but(layers=("map#0", "fc"), dtype="float16", top=1), layers) as writer:
        for layer in layers:
            writer.add(rows_for(item, [0], layer, labels=((Label("cat, tabby", 0.75),),)))
        writer.finish(done(item), 1)
        writer.note(ItemRecord(MediaItem("/bad.png", 3, 4), None, Status.FAILED, 'says "no"'))
    return store


def test_parquet_has_the_documented_columns_and_the_rows(tmp_path):
    store = store_with(tmp_path / "s", {"/b.mp4": 3, "/a.png": 1})
    (path,) = exporter("parquet").export(store, tmp_path / "out")
    table = pq.read_table(path)
    assert table.schema.names == COLUMNS
    values, meta = store.features()
    np.testing.assert_array_equal(np.array(table["vector"].to_pylist(), np.float32), values)
    assert table["uri"].to_pylist() == ["/a.png", "/b.mp4", "/b.mp4", "/b.mp4"]
    assert set(table["model"].to_pylist()) == {"fake/net"}
    assert set(table["layer"].to_pylist()) == {"pool"}
    assert table["start_s"].to_pylist() == meta["start_s"].to_pylist()
    assert table["frame_index"].to_pylist() == [None, 0, 12, 24]
    recipe = tmp_path / "recipe.toml"
    recipe.write_bytes(table.schema.metadata[b"visfeat:recipe"])
    assert Recipe.from_toml(recipe).digest == RECIPE.digest


def test_parquet_keeps_class_names_and_the_frames_of_clips(tmp_path):
    store = store_of_two_recipes(tmp_path / "s")
    (path,) = exporter("parquet").export(store, tmp_path / "out", layer="fc")
    table = pq.read_table(path)
    assert table.schema.names == [*COLUMNS, "labels"]
    assert table["labels"].to_pylist() == [[{"name": "cat, tabby", "probability": 0.75}]]
    clips = FeatureStore.create_or_open(tmp_path / "clips")
    item = item_of("/b.mp4")
    with writer_of(clips, RECIPE.but(clip=2), (LAYER,)) as writer:
        rows = rows_for(item, [0], LAYER)
        writer.add(replace(rows, frame_index=np.array([[4, 6]])))
        writer.finish(done(item), 1)
    (path,) = exporter("parquet").export(clips, tmp_path / "out_of_clips")
    assert pq.read_table(path)["frame_indices"].to_pylist() == [[4, 6]]


def test_parquet_encodes_no_dictionary_of_vectors(tmp_path):
    (path,) = exporter("parquet").export(store_with(tmp_path / "s", {"/b.mp4": 30}), tmp_path / "out")
    group = pq.ParquetFile(path).metadata.row_group(0)
    columns = {group.column(index).path_in_schema: group.column(index) for index in range(group.num_columns)}
    assert not columns["vector.list.element"].has_dictionary_page
    assert columns["vector.list.element"].compression == "UNCOMPRESSED"
    assert columns["uri"].has_dictionary_page


@pytest.mark.parametrize(("name", "files"), [("parquet", 3), ("npy", 9), ("csv", 4)])
def test_all_spaces_or_one(tmp_path, name, files):
    store = store_of_two_recipes(tmp_path / "s")
    written = exporter(name).export(store, tmp_path / "all")
    assert len({path.name.lower() for path in written}) == files
    assert sorted(written) == sorted((tmp_path / "all").iterdir())
    assert len(exporter(name).export(store, tmp_path / "one", layer="fc")) == {"npy": 3, "csv": 2, "parquet": 1}[name]
    with pytest.raises(UsageError, match="no features of layer nope"):
        exporter(name).export(store, tmp_path / "none", layer="nope")
    assert not (tmp_path / "none").exists()


def test_npy_is_the_array_with_names_beside_it(tmp_path):
    store = store_of_two_recipes(tmp_path / "s")
    array, names, recipe = exporter("npy").export(store, tmp_path / "out", layer="map#0")
    values = np.load(array)
    assert values.shape == (1, 2, 3, 3)
    np.testing.assert_array_equal(values, store.features(layer="map#0")[0])
    with names.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["uri"] == "/a,b\n.png"
    assert (row["start_s"], row["frame_index"]) == ("", "")
    assert json.loads(row["labels"]) == [{"name": "cat, tabby", "probability": 0.75}]
    assert Recipe.from_toml(recipe).dtype == "float16"


def test_csv_lists_rows_and_items(tmp_path):
    store = store_of_two_recipes(tmp_path / "s")
    items, rows = exporter("csv").export(store, tmp_path / "out", layer="pool")
    with items.open(encoding="utf-8", newline="") as file:
        listed = {row["uri"]: row for row in csv.DictReader(file)}
    assert set(listed) == {"/b.mp4", "/a,b\n.png", "/bad.png"}
    assert (listed["/bad.png"]["status"], listed["/bad.png"]["reason"]) == ("failed", 'says "no"')
    with rows.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["uri"] for row in read] == ["/a,b\n.png", "/b.mp4", "/b.mp4", "/b.mp4"]
    assert [row["start_s"] for row in read] == ["", "0.0", "0.5", "1.0"]
    assert list(read[0]) == [name for name in COLUMNS if name != "vector"]


@pytest.mark.parametrize("name", ["parquet", "npy", "csv"])
def test_store_without_rows_exports_empty_files(tmp_path, name):
    store = FeatureStore.create_or_open(tmp_path / "s")
    writer_of(store).close()
    written = exporter(name).export(store, tmp_path / "out")
    suffixes = {path.suffix: path for path in written}
    if name == "parquet":
        assert pq.read_table(suffixes[".parquet"]).schema.names == COLUMNS
    else:
        assert suffixes[".csv"].read_text().count("\n") == 1
    if name == "npy":
        assert np.load(suffixes[".npy"]).shape == (0, *LAYER.shape)


def test_export_into_a_file_is_refused(tmp_path):
    store = store_with(tmp_path / "s", {"/a.png": 1})
    (tmp_path / "out").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        exporter("parquet").export(store, tmp_path / "out")


def test_export_again_replaces_the_file(tmp_path):
    store = store_with(tmp_path / "s", {"/a.png": 1})
    (first,) = exporter("parquet").export(store, tmp_path / "out")
    item = item_of("/b.mp4", kind=Kind.VIDEO)
    with writer_of(store) as writer:
        writer.add(rows_for(item, [0, 1]))
        writer.finish(done(item), 2)
    (second,) = exporter("parquet").export(store, tmp_path / "out")
    assert first == second
    assert pq.read_metadata(second).num_rows == 3
    assert [path.name for path in (tmp_path / "out").iterdir()] == [second.name]
