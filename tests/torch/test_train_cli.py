"""``visfeat train`` and ``visfeat evaluate`` on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from train_made import digit_pictures, digits_folder
from visfeat.cli.main import main
from visfeat.store.feature_store import open_store


def called(*arguments) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return digits_folder(tmp_path_factory.mktemp("digits"), train=400, test=100)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "digits.toml").write_text(
        f'data = "{data}"\nout = "{folder / "digits"}"\nmodel = "cnn"\nsize = 8\nepochs = 3\nlogger = "csv"\n'
    )
    assert called("train", folder / "digits.toml", "--lr", "0.01", "--quiet") == 0
    return folder / "digits"


def test_a_toml_file_trains_and_its_run_extracts(run, tmp_path):
    from PIL import Image

    for n in range(3):
        picture = np.random.default_rng(n).integers(0, 255, (20, 20), np.uint8)
        Image.fromarray(picture).save(tmp_path / f"{n}.png")
    assert called("extract", tmp_path, "-s", tmp_path / "f.vf", "--model", run, "--layers", "fc1", "--quiet") == 0
    values, _ = open_store(tmp_path / "f.vf").features()
    assert values.shape == (3, 128)


def test_the_card_as_json(run, data, capsys):
    assert called("train", run.parent / "digits.toml", "--lr", "0.01", "--json", "--quiet") == 0
    card = json.loads(capsys.readouterr().out)
    assert card["name"] == "digits"
    assert card["data"]["splits"] == {"train": 360, "val": 40, "test": 100}


def test_evaluate_prints_intervals_classes_and_mistakes(run, capsys):
    assert called("evaluate", run) == 0
    out = capsys.readouterr().out
    assert "the test split, 100 files" in out
    assert "top1" in out
    assert "precision" in out


def test_evaluate_agrees_with_what_the_training_measured(run, capsys, tmp_path):
    assert called("evaluate", run, "--json", "--out", tmp_path / "e.json") == 0
    found = json.loads(capsys.readouterr().out)
    measured = json.loads((run / "metrics.json").read_text())
    assert found["metrics"]["top1"]["value"] == pytest.approx(measured["test_top1"])
    assert found["confusion"] == measured["test_confusion"]
    assert found["metrics"]["top1"]["low"] <= measured["test_top1"] <= found["metrics"]["top1"]["high"]
    assert len(found["mistakes"]) == min(50, round((1 - measured["test_top1"]) * 100))
    assert json.loads((tmp_path / "e.json").read_text()) == found


def test_evaluate_leaves_out_what_cannot_be_read(tmp_path, capsys):
    digit_pictures(tmp_path / "pictures", each=6)
    common = ("--size", "8", "--epochs", "1", "--logger", "csv", "--quiet")
    assert called("train", tmp_path / "pictures", "--out", tmp_path / "run", *common) == 0
    for path in (tmp_path / "pictures" / "digit1").iterdir():
        path.write_bytes(b"no picture")
    assert called("train", tmp_path / "pictures", "--out", tmp_path / "again", *common) == 2
    assert "none of the files of the class digit1 could be read" in capsys.readouterr().err
    assert called("evaluate", tmp_path / "run", tmp_path / "pictures", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["files"], len(found["rejected"])) == (12, 6)


def test_evaluate_refuses_a_run_without_unseen_data_before_it_decodes(tmp_path, capsys):
    digit_pictures(tmp_path / "pictures", each=6)
    common = ("--size", "8", "--epochs", "1", "--logger", "csv", "--quiet", "--val", "0")
    assert called("train", tmp_path / "pictures", "--out", tmp_path / "run", *common) == 0
    assert called("evaluate", tmp_path / "run") == 2
    err = capsys.readouterr().err
    assert "no split that it was not trained on" in err
    assert "decoding" not in err


def test_a_training_that_cannot_begin_leaves_its_folder_free(tmp_path, capsys):
    digit_pictures(tmp_path / "pictures", each=6)
    (tmp_path / "w.safetensors").write_bytes(b"junk")
    common = ("--model", "timm/resnet18", "--size", "32", "--epochs", "1", "--logger", "csv", "--quiet")
    given = ("train", tmp_path / "pictures", "--out", tmp_path / "run", *common)
    assert called(*given, "--weights", tmp_path / "w.safetensors") == 1
    assert "w.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_evaluate_on_other_data(run, tmp_path, capsys):
    other = digits_folder(tmp_path / "other", train=30, test=20)
    assert called("evaluate", run, other, "--json") == 0
    assert json.loads(capsys.readouterr().out)["files"] == 50


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "nothing to learn from"),
        (("DATA", "--epochs", "0"), "epochs must be at least 1"),
        (("DATA", "--augment", "melt"), "--augment melt: there are flip"),
        (("DATA", "--augment", "shift:x"), "--augment shift:x: a number from 0 to 64"),
        (("DATA", "--device", "tpu"), "--device tpu: there are auto, cpu"),
        (("DATA", "--device", "cuda:x"), "--device cuda:x: there are auto, cpu"),
        (("DATA", "--labels", "color,size"), "--labels color,size: columns of a table"),
        (("DATA", "--logger", "paper"), "--logger paper: there are csv, tensorboard"),
        (("DATA", "--model", "resnet"), "no model 'resnet'"),
        (("DATA", "--model", "bundled/transnetv2"), "cannot be trained"),
        (("nowhere",), "nowhere: no such file or folder"),
        (("DATA", "--unfreeze-last", "999", "--size", "8"), "--unfreeze-last 999: there are 2 layers"),
        (("DATA", "--val", "0", "--patience", "2", "--size", "8"), "--patience: nothing validates"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing_behind(data, tmp_path, capsys, arguments, complaint):
    out = tmp_path / "run"
    given = [data if argument == "DATA" else argument for argument in arguments]
    assert called("train", *given, *(("--out", out) if given else ())) == 2
    assert complaint in capsys.readouterr().err.splitlines()[-1]
    assert not out.exists()
