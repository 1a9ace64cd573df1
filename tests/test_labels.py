"""Labels: read, matched to the items of a store, laid on rows; what matches nothing says how it was looked for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store_made import done, item_of, rows_for, store_with, writer_of
from visfeat.errors import UsageError
from visfeat.labels import label_rows, read_labels
from visfeat.labels.reading import folder_labels, table_labels
from visfeat.media.item import Kind
from visfeat.store.feature_store import FeatureStore


def table(path, text):
    path.write_text(text, "utf-8")
    return path


def test_every_way_of_matching(tmp_path):
    beside = str(tmp_path / "pictures" / "a.png")
    store = store_with(tmp_path / "s.vf", {beside: 1, "/data/x/b.png": 1, "/data/cats/c.png": 1, "/data/x/d.png": 1})
    labels = read_labels(
        table(
            tmp_path / "labels.csv",
            "label,uri\nA,pictures/a.png\nB,/data/x/b.png\nC,cats/c.png\nD,/elsewhere/d.png\nE,/data/x/e.png\n",
        ),
        store,
    )
    assert labels.by_uri == {beside: "A", "/data/x/b.png": "B", "/data/cats/c.png": "C", "/data/x/d.png": "D"}
    assert labels.matched == {"URI": 1, "path beside the table": 1, "end of the path": 1, "file name": 1}
    assert [(one.uri, one.row) for one in labels.unmatched] == [("/data/x/e.png", 5)]
    assert labels.classes == ("A", "B", "C", "D")
    assert "1 of 5 labels match no item" in (labels.complaint() or "")


def test_a_name_that_may_mean_several_means_none(tmp_path):
    store = store_with(tmp_path / "s.vf", {"/a/1.png": 1, "/b/1.png": 1, "/c/2.png": 1})
    labels = read_labels(table(tmp_path / "l.csv", "uri,label\na/1.png,A\n1.png,B\nx/2.png,C\ny/2.png,D\n"), store)
    assert labels.by_uri == {"/a/1.png": "A"}
    assert [one.row for one in labels.unmatched] == [2, 3, 4]
    assert "2 items are called so" in labels.unmatched[0].why
    assert "so are several rows" in labels.unmatched[1].why


def test_nothing_that_matches_is_an_error_that_says_how_and_what_came_near(tmp_path):
    store = store_with(tmp_path / "s.vf", {"/data/cats/cat_0001.jpeg": 1, "/data/cats/cat_0002.jpeg": 1})
    path = table(tmp_path / "labels.csv", "uri,label\ncats/cat_0001.jpg,cat\n")
    with pytest.raises(UsageError) as raised:
        read_labels(path, store)
    said = str(raised.value)
    for part in ("none of its 1 labels", "as a URI", f"relative to {tmp_path}", "file name", "row 1"):
        assert part in said
    assert "did you mean cat_0001.jpeg" in said
    assert "/data/cats/cat_0001.jpeg" in said


def test_a_store_without_items(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s.vf")
    with pytest.raises(UsageError, match="holds no items yet"):
        read_labels(table(tmp_path / "l.csv", "uri,label\na,b\n"), store)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("uri,class\na.png,x\n", "has no column label"),
        ("uri,label\n", "has no rows"),
        ("uri,label\na.png,\n", "row 1 has no label"),
        ("uri,label\n,x\n", "row 1 has no uri"),
        ("uri,label,split\na.png,x,dev\n", "split 'dev' is none of"),
        ("uri,label,start_s\na.mp4,x,soon\n", "not a number of seconds"),
        ("uri,label,start_s,end_s\na.mp4,x,5,5\n", "from 5 to 5 s is no part"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, said):
    with pytest.raises(UsageError, match=said):
        table_labels(table(tmp_path / "l.csv", text))


def test_a_table_that_cannot_be_read(tmp_path):
    (tmp_path / "l.csv").write_bytes(b"\xff\xfe\x00uri")
    (tmp_path / "l.parquet").write_bytes(b"no parquet")
    for name in ("l.csv", "l.parquet", "missing.csv"):
        with pytest.raises(UsageError, match="cannot be read"):
            table_labels(tmp_path / name)


def test_parquet_with_other_names_and_numbers_for_labels(tmp_path):
    pq.write_table(pa.table({"uri": ["a.png", "b.mp4"], "kind": [3, 4], "end_s": [None, 2.5]}), tmp_path / "l.parquet")
    first, second = table_labels(tmp_path / "l.parquet", column="kind")
    assert (first.label, first.start_s, first.end_s) == ("3", None, None)
    assert (second.label, second.start_s, second.end_s) == ("4", 0.0, 2.5)


def test_labels_that_contradict(tmp_path):
    store = store_with(tmp_path / "s.vf", {"/x/a.png": 1, "/x/v.mp4": 8})
    twice = table(tmp_path / "twice.csv", "uri,label\n/x/a.png,A\na.png,A\n")
    assert read_labels(twice, store).by_uri == {"/x/a.png": "A"}
    with pytest.raises(UsageError, match="several labels, 'A' and 'B'"):
        read_labels(table(tmp_path / "l.csv", "uri,label\n/x/a.png,A\n/x/a.png,B\n"), store)
    with pytest.raises(UsageError, match="at one time"):
        read_labels(table(tmp_path / "l.csv", "uri,label,start_s,end_s\nv.mp4,A,0,2\nv.mp4,B,1,3\n"), store)


def test_folder_names(tmp_path):
    store = store_with(tmp_path / "s.vf", {"/d/train/cat/1.png": 1, "/d/test/dog/2.png": 1, "/d/test/cat/x/3.png": 1})
    assert read_labels("folders", store).by_uri["/d/test/cat/x/3.png"] == "x"
    assert read_labels("folders", store).splits == {}
    found = {one.uri: (one.label, one.split) for one in folder_labels(store.known_items(), base=tmp_path.parent / "no")}
    assert found == {}


def test_folders_below_a_folder_and_their_splits(tmp_path):
    uris = [str(tmp_path / name) for name in ("train/cat/1.png", "valid/dog/deep/2.png")]
    store = store_with(tmp_path / "s.vf", dict.fromkeys([*uris, "/elsewhere/3.png"], 1))
    labels = read_labels(tmp_path, store)
    assert [(one.uri, one.label, one.split) for one in labels.entries] == [
        (uris[0], "cat", "train"),
        (uris[1], "dog", "val"),
    ]
    assert labels.of_split("val").by_uri == {uris[1]: "dog"}
    with pytest.raises(UsageError, match="no label is of the split test"):
        labels.of_split("test")
    plain = [str(tmp_path / name) for name in ("cat/1.png", "dog/deep/2.png")]
    assert [one.label for one in folder_labels(plain, tmp_path)] == ["cat", "dog"]
    assert [one.label for one in folder_labels(plain)] == ["cat", "deep"]


def test_rows_of_whole_items_and_of_parts(tmp_path):
    store = store_with(tmp_path / "s.vf", {"/x/a.png": 1, "/x/v.mp4": 8, "/x/w.mp4": 3})
    # Rows of the videos begin every half second and last as long.
    text = "uri,label,start_s,end_s\na.png,A,,\nv.mp4,A,0.5,1.5\nv.mp4,B,1.5,\n"
    rows = label_rows(store.reader(), read_labels(table(tmp_path / "l.csv", text), store))
    assert rows.indices.tolist() == [0, 2, 3, 4, 5, 6, 7, 8]
    assert [rows.classes[code] for code in rows.codes] == ["A", "A", "A", "B", "B", "B", "B", "B"]
    assert rows.entries.tolist() == [0, 1, 1, 2, 2, 2, 2, 2]
    assert len(set(rows.groups[1:].tolist())) == 1
    assert rows.groups[0] != rows.groups[1]
    np.testing.assert_allclose([rows.weights[rows.entries == n].sum() for n in range(3)], 8 / 3)
    assert rows.groups_of_class.tolist() == [2, 1]


def test_copies_and_groups_belong_together(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s.vf")
    with writer_of(store) as writer:
        for uri, content in (("/x/a.png", "one"), ("/x/b.png", "one"), ("/x/c.png", "two"), ("/x/d.png", "three")):
            item = item_of(uri, content)
            writer.add(rows_for(item, range(1)))
            writer.finish(done(item), 1)
    text = "uri,label,group\na.png,A,\nb.png,A,\nc.png,B,g\nd.png,A,g\n"
    groups = label_rows(store.reader(), read_labels(table(tmp_path / "l.csv", text), store)).groups.tolist()
    assert groups[0] == groups[1]
    assert groups[2] == groups[3]
    assert groups[0] != groups[2]


def test_labels_that_no_row_has(tmp_path):
    store = store_with(tmp_path / "s.vf", {"/x/a.png": 1})
    with writer_of(store) as writer:
        writer.note(done(item_of("/x/later.png", "not extracted yet", Kind.IMAGE)))
    with pytest.raises(UsageError, match="none has rows"):
        label_rows(store.reader(), read_labels(table(tmp_path / "l.csv", "uri,label\nlater.png,A\n"), store))
    with pytest.raises(UsageError, match="labeled in part"):
        label_rows(store.reader(), read_labels(table(tmp_path / "p.csv", "uri,label,end_s\na.png,A,3\n"), store))
    both = read_labels(table(tmp_path / "l.csv", "uri,label\nlater.png,A\na.png,B\n"), store)
    assert label_rows(store.reader(), both).without_rows == 1
    with pytest.raises(UsageError, match="'A' is none of"):
        label_rows(store.reader(), both, classes=("B", "C"))
