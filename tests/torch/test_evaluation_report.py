"""``visfeat evaluate -o``: JSON, figures, one page of HTML."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from train_made import digit_pictures, digits_folder, moving_squares
from visfeat.errors import StoreError, UsageError
from visfeat.show.evaluation_report import mistakes_sheet, save_evaluation, training_curves
from visfeat.train.evaluate import evaluate
from visfeat.train.judging import judge_labels, surest_wrong_labels
from visfeat.train.run import train
from visfeat.train.settings import Settings


def trained(folder, data, **options):
    options = {"out": str(folder / "run"), "data": (str(data),), "logger": ("csv",), "epochs": 2} | options
    return evaluate(str(train(Settings.from_options(**options)).folder))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    return trained(folder, digits_folder(folder / "data", train=200, test=80), size=8)


def pictures_in(page):
    """The pictures that a page holds, width and height."""
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(one))).size for one in found]


def test_a_page_holds_all_and_needs_nothing_else(digits, tmp_path):
    page = save_evaluation(digits, tmp_path / "report.html").read_text("utf-8")
    assert len(pictures_in(page)) == 2
    assert "http" not in re.sub(r'src="data:[^"]*"', "", page)
    assert f">{digits.metrics['top1'].value:.4f}<" in page
    assert page.count("t10k-images-idx3-ubyte.gz#") == len(digits.mistakes)


def test_figures_and_json(digits, tmp_path):
    picture = np.asarray(Image.open(save_evaluation(digits, tmp_path / "confusion.png")).convert("L"))
    assert picture.std() > 10
    assert "Confusion" in save_evaluation(digits, tmp_path / "confusion.svg").read_text("utf-8")
    found = json.loads(save_evaluation(digits, tmp_path / "e.json").read_text("utf-8"))
    assert found["confusion"] == [list(row) for row in digits.confusion]
    assert found["reliability"]["error"] == digits.reliability.error
    assert "picture" not in found["mistakes"][0]


def test_mistakes_are_shown_as_the_network_saw_them(digits):
    first = digits.mistakes[0]
    assert first.picture.shape == (8, 8, 3)
    sheet = np.asarray(mistakes_sheet(digits))
    enlarged = np.asarray(Image.fromarray(first.picture).resize((168, 168), Image.Resampling.NEAREST))
    # The first tile begins at 28, 72 px; the picture of 21 times 8 px stands in the middle of its 232 x 174.
    assert np.array_equal(sheet[75 : 75 + 168, 60 : 60 + 168], enlarged)


def test_training_curves_are_those_of_the_logs(digits):
    curves = training_curves(digits.run)
    assert [epoch for epoch, _ in curves["val_loss"]] == [1, 2]
    assert set(curves) >= {"train_loss", "val_loss", "val_top1"}


def test_a_mistaken_video_has_its_moment(tmp_path):
    videos = moving_squares(tmp_path / "videos", each=4)
    found = trained(tmp_path, videos, size=8, val=0.5, every_s="0.5s", epochs=1)
    # With the labels exchanged, what was right is a mistake.
    (videos / "left").rename(videos / "other")
    (videos / "right").rename(videos / "left")
    (videos / "other").rename(videos / "right")
    mistakes = [*found.mistakes, *evaluate(found.run, (str(videos),)).mistakes]
    assert mistakes
    assert all(one.at_s in (0.0, 0.5) for one in mistakes)


def test_several_labels_at_once(tmp_path):
    pictures = sorted(digit_pictures(tmp_path / "pictures", each=8).rglob("*.png"))
    rows = [f"{path},{path.parent.name}|{'odd' if n % 2 else 'even'}" for n, path in enumerate(pictures)]
    (tmp_path / "labels.csv").write_text("\n".join(["uri,label", *rows]))
    found = trained(tmp_path, tmp_path / "labels.csv", size=8, val=0.3, multilabel=True)
    assert set(found.precision_recall) == {"digit0", "digit1", "digit2", "even", "odd"}
    assert found.of_class["even"]["files"] + found.of_class["odd"]["files"] == found.files
    page = save_evaluation(found, tmp_path / "report.html").read_text("utf-8")
    assert len(pictures_in(page)) == 2
    assert {one.kind for one in found.mistakes} <= {"missing", "spurious"}
    truth = {row.split(",")[0]: set(row.split(",")[1].split("|")) for row in rows}
    assert found.mistakes
    for one in found.mistakes:
        missed = one.kind == "missing"
        assert (one.label in truth[one.uri]) if missed else (one.predicted not in truth[one.uri])
        assert 0.5 <= one.probability <= 1
        assert one.words.startswith(
            f"{one.label} was missed (" if missed else f"{one.predicted} was seen and is not there ("
        )


def test_the_surest_wrong_labels_come_first():
    targets = np.array([[1, 0, 1], [0, 1, 0]], np.float32)
    shares = np.array([[0.1, 0.7, 0.6], [0.2, 0.4, 0.99]])
    assert surest_wrong_labels(targets, shares).tolist() == [[1, 2], [0, 0], [0, 1], [1, 1]]


def test_scores_of_each_label_by_counting():
    targets = np.array([[1, 0], [1, 1], [0, 1], [1, 0]], np.float32)
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]])
    found = judge_labels(targets, shares, np.arange(4), ("a", "b"))["of_class"]
    assert found["a"] == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "files": 3})
    assert found["b"] == pytest.approx({"precision": 1, "recall": 1 / 2, "f1": 2 / 3, "files": 2})


def test_a_figure_has_every_head(digits, tmp_path):
    odd = replace(digits, classes=("even", "odd"), confusion=((30, 12), (8, 30)), precision_recall={})
    heads = replace(digits, heads={"digit": digits, "parity": odd}, confusion=(), reliability=None, metrics={})
    text = save_evaluation(heads, tmp_path / "heads.svg").read_text("utf-8")
    assert text.count(">Confusion<") == 2
    assert all(f">{word}" in text for word in ("digit: top1", "parity: top1", "Training", "even", "odd"))


def test_wrong_paths_are_refused(digits, tmp_path):
    with pytest.raises(UsageError, match="ends in .json or .png or .svg or .html"):
        save_evaluation(digits, tmp_path / "report.pdf")
    with pytest.raises(StoreError, match="there is no folder"):
        save_evaluation(digits, tmp_path / "nowhere" / "report.html")
