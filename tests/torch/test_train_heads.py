"""Several columns of labels: a head each, in training, evaluation and features."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from visfeat.errors import UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.extraction.run import extract
from visfeat.models.registry import load_model
from visfeat.show.evaluation_report import html_page
from visfeat.store.feature_store import open_store
from visfeat.train.evaluate import evaluate
from visfeat.train.module import HeadAccuracy
from visfeat.train.run import train
from visfeat.train.settings import Settings

COLORS = {"red": (220, 30, 30), "blue": (30, 30, 220)}
SIZES = {"small": 3, "large": 6}


def rows_of_squares(folder, *, each=40):
    """Squares of two colors and two sizes on noise; of every tenth the size is not said."""
    folder.mkdir(parents=True)
    random, rows = np.random.default_rng(0), []
    for color, rgb in COLORS.items():
        for size, side in SIZES.items():
            for n in range(each):
                picture = random.integers(0, 80, (8, 8, 3), dtype=np.uint8)
                top, left = random.integers(0, 8 - side + 1, 2)
                picture[top : top + side, left : left + side] = rgb
                path = folder / f"{color}_{size}_{n}.png"
                Image.fromarray(picture).save(path)
                split = "test" if n % 4 == 0 else "train"
                rows.append({"uri": path.name, "color": color, "size": "" if n % 10 == 1 else size, "split": split})
    return rows


def write_table(path, rows):
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def trained(folder, table, **options):
    options = {"labels": ("color", "size"), "epochs": 20, "lr": 0.005, "batch_size": 16, "channels": 3} | options
    return train(Settings.from_options(data=(str(table),), out=str(folder), size=8, logger=("csv",), **options))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squares")
    rows = rows_of_squares(folder / "squares")
    return trained(folder / "run", write_table(folder / "squares" / "labels.csv", rows))


def test_each_column_is_learned_and_measured(run):
    assert run.card.heads == ("color", "size")
    assert run.card.classes == ("color=blue", "color=red", "size=large", "size=small")
    assert run.card.metrics["test_color_top1"] >= 0.9
    assert run.card.metrics["test_size_top1"] >= 0.9
    measured = json.loads((run.folder / "metrics.json").read_text())
    assert np.array(measured["test_color_confusion"]).shape == (2, 2)


def test_evaluate_measures_each_head_over_the_files_that_have_a_label(run):
    found = evaluate(str(run.folder))
    assert found.files == found.heads["color"].files == 40
    assert found.heads["color"].classes == ("blue", "red")
    for head in ("color", "size"):
        assert found.metrics[f"{head}_top1"].value == pytest.approx(run.card.metrics[f"test_{head}_top1"])
        assert sum(map(sum, found.heads[head].confusion)) == found.heads[head].files
    assert "<h2>size</h2>" in html_page(found)
    assert json.loads(json.dumps(found.to_json()))["heads"]["size"]["classes"] == ["large", "small"]


def test_the_features_are_one_vector(run):
    assert Extractor(str(run.folder), layers=("fc1",))([np.zeros((8, 8, 3), np.uint8)]).shape == (1, 128)


def test_extracted_labels_are_the_likeliest_of_each_head(run, tmp_path):
    picture = str(run.folder.parent / "squares" / "red_large_0.png")
    # A copy that knows nothing of the run's folder.
    load_model(str(run.folder)).save(tmp_path / "squares.vfmodel")
    extract([picture], store=tmp_path / "f.vf", model=str(tmp_path / "squares.vfmodel"), top=1)
    (labels,) = open_store(tmp_path / "f.vf").features()[1]["labels"].to_pylist()
    assert [one["name"] for one in labels] == ["color=red", "size=large"]
    assert all(0.5 < one["probability"] <= 1 for one in labels)


def test_parquet_says_the_same(run, tmp_path):
    rows = rows_of_squares(tmp_path / "squares")
    table = write_table(tmp_path / "squares" / "labels.parquet", rows)
    again = trained(tmp_path / "run", table, epochs=1)
    assert again.card.data.digest == run.card.data.digest


def test_one_other_column_is_no_head(tmp_path):
    rows = rows_of_squares(tmp_path / "squares", each=6)
    card = trained(
        tmp_path / "run", write_table(tmp_path / "squares" / "t.csv", rows), labels=("color",), epochs=1
    ).card
    assert (card.heads, card.classes) == ((), ("blue", "red"))


def test_accuracy_of_heads_by_counting():
    metric = HeadAccuracy([slice(0, 2), slice(2, 4)])
    logits = torch.tensor([[2.0, 1, 0, 3], [0, 1, 5, 0], [0, 1, 0, 1]])
    # Right, right; wrong, not said; right, wrong.
    metric.update(logits, torch.tensor([[1.0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 1, 0]]))
    assert float(metric.compute()) == pytest.approx((2 / 3 + 1 / 2) / 2)


@pytest.mark.parametrize(
    ("change", "options", "complaint"),
    [
        ({}, {"labels": ("color", "shape")}, "has no column shape \\(there are uri, color, size, split\\)"),
        ({"size": "large"}, {}, "the column size has one label only \\(large\\)"),
        ({"color": "red|blue"}, {}, "row 1: color is 'red|blue'; where there are several columns, one label each"),
        ({}, {"labels": ("color", "size"), "multilabel": True}, "several columns and --multilabel exclude"),
        ({"color": "", "size": ""}, {}, "row 1 has no color or size"),
    ],
)
def test_wrong_tables(tmp_path, change, options, complaint):
    rows = [row | change for row in rows_of_squares(tmp_path / "squares", each=2)]
    with pytest.raises(UsageError, match=complaint):
        trained(tmp_path / "run", write_table(tmp_path / "squares" / "labels.csv", rows), **options)
    assert not (tmp_path / "run").exists()


def test_folders_have_no_columns(tmp_path):
    rows_of_squares(tmp_path / "squares" / "a", each=2)
    with pytest.raises(UsageError, match="--labels color,size: columns of a table; .* is a folder"):
        trained(tmp_path / "run", tmp_path / "squares")
