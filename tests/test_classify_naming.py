"""Labels by a network's own classes: the very ones that extraction gives with --top."""

from __future__ import annotations

import json

import pytest

from classify_made import pictures
from media_made import encoded, photo, write_numbered
from test_cli import run
from visfeat.classify.naming import label_by_classes
from visfeat.errors import ModelError, UsageError
from visfeat.extraction.run import extract
from visfeat.store.feature_store import open_store
from visfeat.store.labels import predicted_labels

NAME = "bundled/efficientnet_lite0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("media")
    for n in range(3):
        (path / f"{n}.jpg").write_bytes(encoded(photo(seed=n), "JPEG"))
    write_numbered(path / "v.mp4", 75)
    return path


def labels_of_rows(store, recipe=None):
    """What extraction with ``top`` stored: URI -> labels of each row."""
    found = {}
    for row in store.features(recipe=recipe)[1].to_pylist():
        found.setdefault(row["uri"], []).append([(one["name"], one["probability"]) for one in row["labels"]])
    return found


def test_own_classes_are_those_of_extraction(folder, tmp_path):
    extract(folder, store=tmp_path / "s.vf")
    extract(folder, store=tmp_path / "top.vf", top=3)
    store, expected = open_store(tmp_path / "s.vf"), labels_of_rows(open_store(tmp_path / "top.vf"))
    said = []
    found = label_by_classes(store, top=3, report=said.append)
    assert said == [f"reading 4 files again for the classes of {NAME}"]
    for one in found:
        rows = expected[one.uri]
        if len(rows) == 1:
            assert [label.name for label in one.labels] == [name for name, _ in rows[0]]
            assert [label.probability for label in one.labels] == pytest.approx([p for _, p in rows[0]], rel=1e-4)
        elif one.start_s is not None:
            assert one.label == rows[int(one.start_s)][0][0]
    assert predicted_labels(store, NAME).num_rows == len(found)
    # The logits went with the files' second reading: the store has the one recipe that it had.
    assert len(store.recipes()) == 1


def test_logits_that_are_there_are_taken_without_the_files(tmp_path):
    (tmp_path / "media").mkdir()
    picture = tmp_path / "media" / "a.jpg"
    picture.write_bytes(encoded(photo(seed=5), "JPEG"))
    extract(tmp_path / "media", store=tmp_path / "s.vf")
    extract(tmp_path / "media", store=tmp_path / "s.vf", layers="classifier")
    store = open_store(tmp_path / "s.vf")
    with_files = label_by_classes(store, recipe=store.recipes()[0].digest)
    picture.unlink()
    said = []
    assert [one.label for one in label_by_classes(store, report=said.append)] == [one.label for one in with_files]
    assert said == []


def test_files_that_are_gone_get_no_label(folder, tmp_path):
    (tmp_path / "media").mkdir()
    for n in range(2):
        (tmp_path / "media" / f"{n}.jpg").write_bytes((folder / f"{n}.jpg").read_bytes())
    extract(tmp_path / "media", store=tmp_path / "s.vf")
    (tmp_path / "media" / "0.jpg").unlink()
    said = []
    found = label_by_classes(open_store(tmp_path / "s.vf"), report=said.append)
    assert [one.uri for one in found] == [str(tmp_path / "media" / "1.jpg")]
    assert "1 files could not be read" in said[-1]


def test_networks_without_classes_and_other_weights(folder, tmp_path):
    with pytest.raises(ModelError):
        label_by_classes(pictures(tmp_path / "made.vf", 1))
    extract(folder, store=tmp_path / "s.vf", model="classic/color_histogram")
    with pytest.raises(UsageError, match="has no class names; fit a classifier"):
        label_by_classes(open_store(tmp_path / "s.vf"))
    extract(folder, store=tmp_path / "s.vf")
    extract(folder, store=tmp_path / "s.vf", fit="squash")
    with pytest.raises(UsageError, match="several recipes fit"):
        label_by_classes(open_store(tmp_path / "s.vf"), model=NAME)


def test_the_command(capsys, folder, tmp_path):
    extract(folder, store=tmp_path / "s.vf")
    code, out, err = run(capsys, "label", tmp_path / "s.vf", "--top", "2", "--json", "--csv", tmp_path / "l.csv")
    assert code == 0
    assert len(json.loads(out)[0]["labels"]) == 2
    assert err == f"visfeat: reading 4 files again for the classes of {NAME}\n"
    assert (tmp_path / "l.csv").read_text().startswith("uri,start_s,end_s,label")
    assert NAME in run(capsys, "info", tmp_path / "s.vf")[1]
