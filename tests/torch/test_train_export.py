"""Runs in other programs' formats: ONNX and OpenVINO, and visfeat reads them back."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from train_made import digit_pictures, moving_squares
from visfeat.errors import UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.models.registry import load_model
from visfeat.train.exporting import export_run
from visfeat.train.run import train
from visfeat.train.settings import Settings


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return digit_pictures(tmp_path_factory.mktemp("pictures"), each=6)


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    out = str(tmp_path_factory.mktemp("runs") / "digits")
    return train(Settings.from_options(data=(str(pictures),), out=out, size=8, epochs=1, logger=("csv",))).folder


@pytest.mark.parametrize(("to", "ending"), [("onnx", ".onnx"), ("openvino", ".xml")])
def test_an_exported_run_gives_the_same_logits(run, pictures, tmp_path, to, ending):
    out = tmp_path / f"digits{ending}"
    assert export_run(str(run), out, to=to) <= 1e-4
    files = [str(path) for path in sorted(pictures.rglob("*.png"))[:4]]
    own = load_model(str(run)).card
    again = load_model(str(out)).card
    assert (again.input, again.class_names) == (own.input, own.class_names)
    found = Extractor(str(out), layers=(again.logits_layer,))(files)
    np.testing.assert_allclose(found, Extractor(str(run), layers=("fc2",))(files), rtol=1e-4, atol=1e-5)


def test_onnx_of_an_lstm_takes_any_number_of_clips(tmp_path):
    videos = moving_squares(tmp_path / "videos", each=3)
    options = {"size": 32, "clip": 8, "clip_fps": 8, "epochs": 1, "batch_size": 4, "val": 0.2, "hidden": 8}
    settings = Settings.from_options(
        data=(str(videos),), out=str(tmp_path / "run"), model="cnn_lstm", backbone="cnn", logger=("csv",), **options
    )
    folder = train(settings).folder
    assert export_run(str(folder), tmp_path / "lstm.onnx", to="onnx") <= 1e-4
    onnx.checker.check_model(onnx.load(tmp_path / "lstm.onnx"))


def test_wrong_words_are_named(run, tmp_path):
    with pytest.raises(UsageError, match="--to coreml: there are onnx, openvino"):
        export_run(str(run), tmp_path / "a.onnx", to="coreml")
    with pytest.raises(UsageError, match="ends in .xml"):
        export_run(str(run), tmp_path / "a.onnx", to="openvino")
