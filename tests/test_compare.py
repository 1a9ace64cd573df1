"""Recipes of a store compared: what a board says, what stands for a video, and labels and recipes that cannot be."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from typer.testing import CliRunner

import visfeat as vf
from compare_made import add_vectors, class_vectors, labeled_store, labels_of, recipe_named, write_labels
from store_made import hash_of, store_with
from visfeat.cli.main import app
from visfeat.compare import compare
from visfeat.compare.items import item_vectors, uris_with_rows
from visfeat.compare.task import make_task
from visfeat.errors import StoreError, UsageError
from visfeat.labels import ItemLabel, read_labels
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import LayerShape
from visfeat.store.runs import add_run, rows_per_s

pytest.importorskip("sklearn")

LABELS = labels_of(["cat", "cow", "dog"], 12)


@pytest.fixture
def store(tmp_path):
    return labeled_store(tmp_path / "s.vf", LABELS)


def board_of(store, labels="folders", **options):
    return compare(store, read_labels(labels, store), resamples=options.pop("resamples", 30), **options)


def test_the_better_recipe_comes_first(store):
    board = board_of(store)
    assert [entry.name for entry in board.entries] == ["good", "poor"]
    good, poor = board.entries
    assert (board.classes, board.train_items, board.test_items, board.notes) == (("cat", "cow", "dog"), 27, 9, ())
    assert good.metrics["knn_top1"].value == good.metrics["ari"].value == 1
    assert poor.metrics["knn_top1"].value < 1
    assert (good.dimension, good.row_bytes, good.rows_per_s, good.layer) == (8, 32, None, "pool")
    assert 0 < good.cka["poor"] == poor.cka["good"] < 1
    assert not good.hand_made


def test_equal_seeds_give_equal_boards(store):
    assert board_of(store, seed=3) == board_of(store, seed=3)
    assert board_of(store, seed=3) != board_of(store, seed=4)


def test_sorting_by_another_number(store):
    board = board_of(store, sort="nmi")
    assert [entry.metrics["nmi"].value for entry in board.entries] == sorted(
        (entry.metrics["nmi"].value for entry in board.entries), reverse=True
    )
    with pytest.raises(UsageError, match=r"--sort probe_top5: of 3 classes there are .*; did you mean probe_top1"):
        board_of(store, sort="probe_top5")


def test_a_split_column_holds_and_val_is_left_out(store, tmp_path):
    place = {uri: ("train", "test", "val")[n % 3] for n, uri in enumerate(sorted(LABELS))}
    board = board_of(store, write_labels(tmp_path / "l.csv", LABELS, split=place))
    assert (board.train_items, board.test_items) == (12, 12)
    assert board.notes == ("left out: 12 items of the split val",)


def test_recipes_by_name_digest_and_model(store):
    digest = next(one.digest for one in store.recipes() if one.recipe.name == "poor")
    for word in ("poor", digest, digest[:6], "fake/poor"):
        assert [entry.name for entry in board_of(store, recipes=[word]).entries] == ["poor"]
    assert len(board_of(store, recipes=["good", "fake/good"]).entries) == 1
    with pytest.raises(
        UsageError,
        match=rf"--recipes god: no recipe of the store; did you mean good\?; it has good .*, poor \({digest}\)",
    ):
        board_of(store, recipes=["good", "god"])


def test_items_that_a_recipe_lacks_are_left_out_for_all(store):
    few = dict(list(LABELS.items())[:6] + list(LABELS.items())[12:18])
    add_vectors(store, recipe_named("few"), class_vectors(few, noise=0.1))
    board = board_of(store)
    assert board.train_items + board.test_items == 12
    assert board.notes == ("left out: 24 labeled items without features of every recipe",)
    assert board_of(store, recipes=["good", "poor"]).notes == ()


def test_two_layers_and_two_recipes_of_one_name_have_names_of_their_own(store):
    add_vectors(store, recipe_named("good", size=9), class_vectors(LABELS, noise=1))
    names = [entry.name for entry in board_of(store).entries]
    assert len(set(names)) == 3
    assert sum(name.startswith("good pool ") for name in names) == 2


# One vector an item.


def video_store(tmp_path):
    """Two images and videos of 2 and 3 rows, the rows of each counting up by ones."""
    store = FeatureStore.create_or_open(tmp_path / "v.vf")
    counting = {"/b.mp4": 2, "/a.png": 1, "/c.mp4": 3, "/d.png": 1}
    vectors = {
        uri: 10.0 * n + np.arange(rows, dtype=np.float32)[:, None] * np.ones((1, 8), np.float32)
        for n, (uri, rows) in enumerate(counting.items())
    }
    add_vectors(store, recipe_named("r"), vectors)
    return store.reader()


def test_a_video_is_the_mean_of_its_rows(tmp_path):
    reader = video_store(tmp_path)
    values = item_vectors(reader, ["/c.mp4", "/d.png", "/b.mp4"])
    assert values.tolist() == [[21] * 8, [30] * 8, [0.5] * 8]
    assert uris_with_rows(reader) == {"/a.png", "/b.mp4", "/c.mp4", "/d.png"}


def test_or_its_middle_row(tmp_path):
    values = item_vectors(video_store(tmp_path), ["/b.mp4", "/c.mp4", "/a.png"], video="middle")
    assert values[:, 0].tolist() == [0, 21, 10]


def test_videos_are_items_like_images(tmp_path):
    """Only the middle row of these videos says their class; the mean of the three rows says nothing."""
    store = FeatureStore.create_or_open(tmp_path / "s.vf")
    random = np.random.default_rng(0)
    vectors = {}
    for n in range(24):
        class_row = np.eye(8)[n % 2] + 0.01 * random.normal(size=8)
        before = random.normal(size=8)
        vectors[f"/{'ab'[n % 2]}/{n}.mp4"] = np.stack([before, class_row, 1 - class_row - before]).astype(np.float32)
    add_vectors(store, recipe_named("r"), vectors)
    by_mean, by_middle = (board_of(store, video=video).entries[0].metrics for video in ("mean", "middle"))
    assert by_middle["knn_top1"].value == 1
    assert by_mean["knn_top1"].value < 1


def test_a_map_is_flattened(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "m.vf")
    values = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    add_vectors(store, recipe_named("map"), {"/a.png": values}, layer=LayerShape("pool", (3, 2, 2)))
    assert item_vectors(store.reader(), ["/a.png"]).tolist() == [list(range(12))]


def test_vectors_that_are_not_finite_are_refused(tmp_path):
    """Half floats that overflowed in a store that another tool wrote: the writer itself takes none."""
    store = FeatureStore.create_or_open(tmp_path / "n.vf")
    add_vectors(store, recipe_named("r"), {"/a.png": np.ones((1, 8), np.float32), "/b.png": np.ones((1, 8))})
    reader = FakeReader(store.reader())
    with pytest.raises(StoreError, match=r"/b.png: its features .*recipe .* are not finite.*--redo"):
        item_vectors(reader, ["/a.png", "/b.png"])


class FakeReader:
    """A reader one of whose vectors has a NaN."""

    def __init__(self, reader):
        self.space, self.join, self.table, self._reader = reader.space, reader.join, reader.table, reader

    def stored_values(self):
        for start, stored in self._reader.stored_values():
            values = stored.copy()
            values[self.join.offset[1] - start, 2] = np.nan
            yield start, values


# The task.


def entries_of(labels, **columns):
    return [ItemLabel(uri, label, **{k: c[uri] for k, c in columns.items()}) for uri, label in labels.items()]


def contents_of(labels):
    return {uri: hash_of(uri) for uri in labels}


def test_no_content_is_on_both_sides_and_each_class_gives_its_share():
    task = make_task(entries_of(LABELS), [set(LABELS)], contents_of(LABELS), test=0.25)
    assert not set(task.train) & set(task.test)
    assert sorted([*task.train, *task.test]) == list(range(36))
    assert np.bincount(task.targets[task.test]).tolist() == [3, 3, 3]


def test_copies_count_once_and_contradictions_not_at_all():
    labels = labels_of(["a", "b"], 4) | {"/copy.png": "a", "/wrong.png": "b"}
    contents = contents_of(labels)
    contents["/copy.png"] = contents["/data/a/00.png"]
    contents["/wrong.png"] = contents["/data/a/01.png"]
    task = make_task(entries_of(labels), [set(labels)], contents)
    assert set(task.uris) & {"/copy.png", "/data/a/00.png"} == {"/copy.png"}, "the first one stands for all"
    assert {"/wrong.png", "/data/a/01.png"} & set(task.uris) == set()
    assert task.notes == (
        "left out: 1 copies of other items",
        "left out: 1 contents whose copies have other labels or splits",
    )


def test_a_group_stays_together():
    labels = labels_of(["a", "b"], 8)
    groups = {uri: f"{label}{n % 4 // 2}" for n, (uri, label) in enumerate(labels.items())}
    task = make_task(entries_of(labels, group=groups), [set(labels)], contents_of(labels), test=0.5)
    sides = {groups[task.uris[n]] for n in task.train}, {groups[task.uris[n]] for n in task.test}
    assert sides[0] & sides[1] == set()
    assert len(np.unique(task.groups)) == 4


def test_classes_of_one_item_train_only():
    labels = labels_of(["a", "b"], 4) | {"/lonely.png": "c"}
    task = make_task(entries_of(labels), [set(labels)], contents_of(labels))
    assert task.uris.index("/lonely.png") in task.train
    assert task.notes == ("1 classes have one item, which cannot both train and test: c",)
    alone = {"/1.png": "a", "/2.png": "b"}
    with pytest.raises(UsageError, match="of 2 items 2 train and 0 test; at least one class needs two items"):
        make_task(entries_of(alone), [set(alone)], contents_of(alone))


def test_classes_that_only_the_test_split_has_are_said():
    labels = labels_of(["a", "b", "c"], 2)
    split = {uri: "test" if label == "c" or uri.endswith("1.png") else "train" for uri, label in labels.items()}
    task = make_task(entries_of(labels, split=split), [set(labels)], contents_of(labels))
    assert task.notes == ("1 classes are in the test split alone and cannot be right: c",)


def test_one_class_and_no_item_are_refused():
    labels = labels_of(["cat"], 5)
    with pytest.raises(UsageError, match=r"one class only \(cat\)"):
        make_task(entries_of(labels), [set(labels)], contents_of(labels))
    with pytest.raises(UsageError, match="none of the 5 labels is of an item with features of every recipe"):
        make_task(entries_of(labels), [set(labels), set()], contents_of(labels))
    with pytest.raises(UsageError, match=r"--test 1: must be a share between 0 and 1"):
        make_task(entries_of(labels), [set(labels)], contents_of(labels), test=1)


def test_labels_of_parts_of_videos_are_left_out(store):
    labels = [*entries_of(LABELS), ItemLabel("/v.mp4", "cat", start_s=1.0, end_s=2.0)]
    task = make_task(labels, [set(LABELS)], contents_of(LABELS))
    assert task.notes == ("left out: 1 labels of parts of videos: whole items are compared",)


# Speed.


def test_speed_is_of_runs_of_the_recipe_alone(store):
    assert rows_per_s(store.path, "ab") is None
    add_run(store.path, "ab", rows=30, seconds=2.0, recipes=1)
    add_run(store.path, "ab", rows=10, seconds=2.0, recipes=1)
    add_run(store.path, "ab", rows=1000, seconds=1.0, recipes=2)
    add_run(store.path, "cd", rows=1000, seconds=1.0, recipes=2)
    assert rows_per_s(store.path, "ab") == 10
    assert rows_per_s(store.path, "cd") is None


def test_an_extraction_notes_its_speed(tmp_path):
    pytest.importorskip("cv2")
    from PIL import Image

    for n in range(3):
        Image.new("RGB", (9, 9), (n, 0, 0)).save(tmp_path / f"{n}.png")
    first = vf.extract(tmp_path, store=tmp_path / "s.vf", model="classic/phash")
    both = vf.extract_many(
        tmp_path, [vf.Recipe(model=one) for one in ("classic/lbp", "classic/hog")], store=tmp_path / "s.vf"
    )
    again = vf.extract(tmp_path, store=tmp_path / "s.vf", model="classic/phash")
    assert again.rows == 0
    speed = rows_per_s(tmp_path / "s.vf", again.recipe.digest)
    assert speed is not None
    assert speed >= 3 / first.elapsed_s
    assert [rows_per_s(tmp_path / "s.vf", run.recipe.digest) for run in both] == [None, None]


# The command.


def run(*arguments):
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def test_the_table_and_its_notes(store, tmp_path):
    labels = write_labels(tmp_path / "l.csv", LABELS | {"/nowhere.png": "cat"})
    result = run(store.path, "--labels", labels)
    assert result.exit_code == 0, result.output
    assert "2 recipes, 3 classes; 27 items train, 9 test" in result.stdout
    assert "1 of 37 labels match no item" in result.stdout
    assert "linear CKA" in result.stdout


def test_json_is_a_list_of_entries(store):
    found = json.loads(run(store.path, "--labels", "folders", "--json").stdout)
    assert [one["name"] for one in found] == ["good", "poor"]
    assert found[0]["metrics"]["map"].keys() == {"value", "low", "high"}
    assert found[0]["rsa"].keys() == {"poor"}


def test_csv_has_a_line_an_entry(store):
    rows = list(csv.DictReader(io.StringIO(run(store.path, "--labels", "folders", "--csv").stdout)))
    board = json.loads(run(store.path, "--labels", "folders", "--json").stdout)
    assert [row["name"] for row in rows] == ["good", "poor"]
    assert float(rows[1]["nmi_low"]) == board[1]["metrics"]["nmi"]["low"]
    assert rows[0]["rows_per_s"] == ""


def test_the_picture_is_written_and_refused_before_anything_is_measured(store, tmp_path):
    pytest.importorskip("matplotlib")
    from PIL import Image

    result = run(store.path, "--labels", "folders", "--png", tmp_path / "board.png")
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "board.png") as picture:
        assert picture.width > 800
        assert np.asarray(picture.convert("L")).std() > 5
    refused = run(store.path, "--labels", "folders", "--png", tmp_path / "board.gif")
    assert isinstance(refused.exception, UsageError)


def test_what_cannot_be_compared(store, tmp_path):
    nothing = write_labels(tmp_path / "n.csv", {"/data/cat/0O.png": "cat"})
    empty = FeatureStore.create_or_open(tmp_path / "e.vf")
    for arguments, message in (
        ((store.path, "--labels", nothing), "none of its 1 labels matches"),
        ((store.path, "--labels", "folders", "--recipes", "no"), "--recipes no: no recipe of the store; it has good"),
        ((store.path, "--labels", "folders", "--neighbors", 0), "--neighbors 0"),
        ((empty.path, "--labels", "folders"), "the store holds no features yet"),
        ((store_with(tmp_path / "o.vf", {"/x/a.png": 1, "/x/b.png": 1}).path, "--labels", "folders"), "one class only"),
    ):
        error = run(*arguments).exception
        assert isinstance(error, UsageError)
        assert message in str(error)
