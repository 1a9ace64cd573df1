"""Runs in other programs' formats: ONNX and OpenVINO, and visfeat reads them back."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from train_made import digit_pictures, digits, digits_folder, moving_squares
from visfeat.card import InputSpec
from visfeat.errors import UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.models.registry import load_model
from visfeat.train.evaluate import evaluate
from visfeat.train.exporting import export_run
from visfeat.train.quantizing import export_int8, normalized
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


def test_int8_says_what_it_loses(tmp_path):
    pytest.importorskip("nncf")
    options = {"size": 8, "epochs": 6, "lr": 0.01, "batch_size": 32, "logger": ("csv",)}
    data = digits_folder(tmp_path / "digits", train=600, test=200)
    folder = train(Settings.from_options(data=(str(data),), out=str(tmp_path / "run"), **options)).folder
    loss = export_int8(str(folder), tmp_path / "digits.xml")
    assert (loss.split, loss.files) == ("test", 200)
    assert loss.before == evaluate(str(folder)).metrics
    assert loss.after["top1"].value == pytest.approx(loss.before["top1"].value, abs=0.03)
    export_run(str(folder), tmp_path / "whole.xml", to="openvino")
    assert (tmp_path / "digits.bin").stat().st_size < 0.3 * (tmp_path / "whole.bin").stat().st_size
    pictures = [np.repeat(one[:, :, None], 3, axis=2) for one in digits()[0][:20]]
    found, expected = (Extractor(str(path))(pictures) for path in (tmp_path / "digits.xml", folder))
    assert found.shape == expected.shape == (20, 128)
    cosines = (found * expected).sum(axis=1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert 0.98 < cosines.min() < 1 - 1e-7
    (data / "train-images-idx3-ubyte").unlink()
    with pytest.raises(UsageError, match="--precision int8: .*: the files of its train split are not there any more"):
        export_int8(str(folder), tmp_path / "again.xml")


def test_pixels_are_normalized_as_the_card_says():
    spec = InputSpec(size_px=(2, 3), resize_px=2, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 2, 3, 3), np.uint8)
    expected = (pixels / 255 - [0.1, 0.2, 0.3]) / [0.4, 0.5, 0.6]
    found = normalized(pixels, spec.model_copy(update={"clip_frames": 5}))
    np.testing.assert_allclose(found, expected.transpose(0, 4, 1, 2, 3), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(normalized(pixels[:, :1], spec), found[:, :, 0], rtol=1e-6)


def test_wrong_words_are_named(run, tmp_path):
    with pytest.raises(UsageError, match="--to coreml: there are onnx, openvino"):
        export_run(str(run), tmp_path / "a.onnx", to="coreml")
    with pytest.raises(UsageError, match="ends in .xml"):
        export_run(str(run), tmp_path / "a.onnx", to="openvino")
