"""``evaluate`` without data: the files that the run set aside, whatever became of its data since."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from PIL import Image

from train_made import digit_pictures, digits, digits_folder, write_idx
from visfeat.errors import UsageError
from visfeat.train.data.idx import number_of_pictures
from visfeat.train.evaluate import evaluate
from visfeat.train.run import train
from visfeat.train.settings import Settings


def trained(folder, data, **options):
    options = {"out": str(folder / "run"), "data": (str(data),), "logger": ("csv",), "epochs": 2, "size": 8} | options
    return train(Settings.from_options(**options)).folder


def split_of(run):
    with (run / "splits.csv").open(newline="") as file:
        return {row["uri"]: row["split"] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    run = trained(folder, digit_pictures(folder / "pictures", each=12), val=0.25, test=0.25)
    return folder, evaluate(str(run))


@pytest.fixture
def project(made):
    """The run and its pictures; what a test does to the pictures is undone."""
    folder, before = made
    shutil.copytree(folder / "pictures", folder / "kept")
    yield folder / "run", folder / "pictures", before
    shutil.rmtree(folder / "pictures")
    (folder / "kept").rename(folder / "pictures")


def test_other_splits_are_not_decoded(project):
    run, _, before = project
    for uri, split in split_of(run).items():
        if split != "test":
            Path(uri).write_bytes(b"no picture any more")
    said = []
    found = evaluate(str(run), report=said.append)
    assert found.metrics == before.metrics
    assert (found.files, found.rejected, found.gone, found.ignored) == (9, (), (), 0)
    assert said == ["decoding 9 files"]


def test_what_the_data_gained_since_is_no_part_of_it(project):
    run, pictures, before = project
    random = [Image.effect_noise((8, 8), 90) for _ in range(5)]
    (pictures / "digit7").mkdir()
    for n, picture in enumerate(random):
        picture.save(pictures / ("digit0" if n < 3 else "digit7") / f"new{n}.png")
    said = []
    found = evaluate(str(run), report=said.append)
    assert (found.metrics, found.files, found.ignored) == (before.metrics, 9, 5)
    assert "5 files that the data have gained since the training are ignored" in said


def test_what_is_gone_is_counted_and_said(project):
    run, pictures, _ = project
    # All of a class, which then is an empty folder.
    shutil.rmtree(pictures / "digit2")
    (pictures / "digit2").mkdir()
    said = []
    found = evaluate(str(run), report=said.append)
    assert (found.files, len(found.gone), found.ignored) == (6, 3, 0)
    assert found.of_class["digit2"]["files"] == 0
    assert said[0].startswith("3 of 9 files of the test split are gone, the first: ")
    assert all("digit2" in uri for uri in found.gone)
    shutil.rmtree(pictures)
    with pytest.raises(UsageError, match="none of the files of its test split is there any more; name the data"):
        evaluate(str(run))
    pictures.mkdir()


def test_files_that_it_learned_from_are_said(project):
    run, pictures, _ = project
    said = []
    evaluate(str(run), (str(pictures),), report=said.append)
    assert said[-1] == "18 of 36 files are among those that the run was trained on"


def test_without_its_record_a_run_asks_for_data(project, tmp_path):
    run, _, _ = project
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "splits.csv").write_text("file,part\na,b\n")
    with pytest.raises(UsageError, match=r"splits.csv: has not the columns uri, label, split; .* name labeled data"):
        evaluate(str(copy))
    (copy / "splits.csv").unlink()
    with pytest.raises(UsageError, match=r"splits.csv: cannot be read .*; .* name labeled data"):
        evaluate(str(copy))


def test_a_table_may_have_changed(tmp_path):
    files = sorted(digit_pictures(tmp_path / "pictures", each=8).rglob("*.png"))
    table = tmp_path / "labels.csv"
    rows = [f"{path.relative_to(tmp_path)},{path.parent.name}" for path in files]
    table.write_text("\n".join(["uri,label", *rows[1:]]))
    run = trained(tmp_path, table, val=0.25)
    before = evaluate(str(run))
    table.write_text("\n".join(["uri,sort", *rows]))
    after = evaluate(str(run))
    assert (after.metrics, after.ignored) == (before.metrics, 1)


def test_idx_files_of_other_splits_need_not_be_there(tmp_path, monkeypatch):
    data = digits_folder(tmp_path / "data", train=200, test=50)
    monkeypatch.chdir(tmp_path)
    run = trained(tmp_path, "data")
    monkeypatch.chdir("/")
    before = evaluate(str(run))
    (data / "train-images-idx3-ubyte").unlink()
    found = evaluate(str(run))
    assert (found.metrics, found.files, found.gone) == (before.metrics, 50, ())


def test_idx_files_that_grew_or_shrank(tmp_path):
    pictures, labels = digits()
    data = tmp_path / "data"
    data.mkdir()
    write_idx(data / "a-images-idx3-ubyte", pictures[:200])
    write_idx(data / "a-labels-idx1-ubyte", labels[:200])
    run = trained(tmp_path, data, val=0.2)
    before = evaluate(str(run))
    write_idx(data / "a-images-idx3-ubyte", pictures[:300], gz=True)
    assert number_of_pictures(data / "a-images-idx3-ubyte") == 300
    found = evaluate(str(run))
    assert (found.metrics, found.files, found.ignored) == (before.metrics, before.files, 100)
    write_idx(data / "a-images-idx3-ubyte", pictures[:100])
    found = evaluate(str(run))
    assert found.files + len(found.gone) == before.files
    assert all(int(uri.rpartition("#")[2]) >= 100 for uri in found.gone)


def test_a_cache_on_disk_is_gone_afterwards(tmp_path):
    run = trained(tmp_path, digit_pictures(tmp_path / "pictures", each=8), val=0.25, cache="disk")
    before = {path.name for path in run.iterdir()}
    assert evaluate(str(run)).files == 6
    assert {path.name for path in run.iterdir()} == before
