"""From data to a run's folder, and from the folder to features without torch."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tomllib

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from train_made import digit_pictures, digits_folder, moving_squares
from visfeat.card import InputSpec
from visfeat.errors import ModelError, TrainingError, UnknownModel, UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.models.registry import load_model
from visfeat.train.data.decoding import FileDecoder, sampling_recipe
from visfeat.train.models.cnn import Cnn
from visfeat.train.module import Classifier
from visfeat.train.run import train
from visfeat.train.run_card import RunCard
from visfeat.train.settings import Settings


def run(data, out, **options):
    return train(Settings.from_options(**({"data": (str(data),), "out": str(out), "logger": ("csv",)} | options)))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return digit_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return moving_squares(tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="module")
def digits_run(pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "digits"
    return run(pictures, out, size=8, epochs=3, val=0.25, batch_size=8)


@pytest.fixture(scope="module")
def lstm_run(videos, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "lstm"
    options = {"size": 32, "clip": 8, "clip_fps": 8, "epochs": 1, "batch_size": 4, "val": 0.2, "hidden": 16}
    return run(videos, out, model="cnn_lstm", backbone="cnn", lstm_pool="attention", bidirectional=True, **options)


def test_a_run_is_a_model_whose_features_are_the_networks_own(digits_run, pictures):
    network = Cnn(3, size_px=(8, 8))
    network.load_state_dict(load_file(digits_run.folder / "model.safetensors"))
    network.eval()
    files = [str(path) for path in sorted(pictures.rglob("*.png"))[:5]]
    spec = digits_run.card.input
    decoder = FileDecoder(sampling_recipe(Settings(), spec), spec)
    pixels = np.concatenate([decoder(file).samples[:, 0] for file in files])
    values = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255).sub(0.5).div(0.5)
    expected = network.fc1(network.pool(network.relu1(network.conv1(network.gray(values)))).flatten(1))
    found = Extractor(str(digits_run.folder), layers=("fc1",))(files)
    assert found.shape == (5, 128)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_running_a_run_imports_no_torch(digits_run, pictures):
    code = (
        "import sys; from visfeat.extraction.extractor import Extractor\n"
        f"print(Extractor({str(digits_run.folder)!r})([{str(pictures / 'digit0/000.png')!r}]).shape)\n"
        "print(sorted({'torch', 'pytorch_lightning', 'pickle5'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["(1, 128)", "[]"]


def test_the_card_says_what_was_done(digits_run):
    card = RunCard.load(digits_run.folder)
    assert card == digits_run.card
    assert card.classes == ("digit0", "digit1", "digit2")
    assert card.input == InputSpec(
        size_px=(8, 8), resize_px=8, interpolation="bilinear", mean=(0.5,) * 3, std=(0.5,) * 3
    )
    assert card.data.splits == {"train": 27, "val": 9, "test": 0}
    assert card.data.balance == {"digit0": 9, "digit1": 9, "digit2": 9}
    assert 0 <= card.metrics["val_top1"] <= 1
    assert card.versions["pytorch-lightning"]


def test_the_splits_are_saved(digits_run):
    rows = list(csv.DictReader((digits_run.folder / "splits.csv").read_text().splitlines()))
    assert len(rows) == 36
    assert sum(row["split"] == "val" for row in rows) == 9
    assert all(row["uri"].endswith(".png") and row["label"].startswith("digit") for row in rows)


def test_metrics_agree_with_the_confusion_matrix(digits_run):
    metrics = json.loads((digits_run.folder / "metrics.json").read_text())
    matrix = np.array(metrics["val_confusion"])
    assert matrix.sum() == 9
    assert metrics["val_top1"] == pytest.approx(np.trace(matrix) / 9)


def test_a_finished_run_is_not_trained_again(digits_run, pictures):
    again = run(pictures, digits_run.folder, size=8, epochs=3, val=0.25, batch_size=8)
    assert again.was_there
    assert again.card == digits_run.card


def test_a_run_of_other_settings_is_not_overwritten(digits_run, pictures):
    with pytest.raises(UsageError, match="other settings \\(--epochs\\); name another --out, or --redo"):
        run(pictures, digits_run.folder, size=8, epochs=4, val=0.25, batch_size=8)


def test_a_folder_that_holds_something_else_is_left_alone(pictures, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="is not empty and no run"):
        run(pictures, tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_an_unfinished_run_is_no_model_yet(tmp_path):
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun/train.toml").write_text("")
    with pytest.raises(ModelError, match="has not ended"):
        load_model(str(tmp_path / "begun"))
    with pytest.raises(UnknownModel, match="no trained run"):
        load_model(f"run/{tmp_path}/nothing")


def test_a_run_takes_its_own_size_only(digits_run):
    with pytest.raises(UsageError, match="was trained on 8 x 8"):
        load_model(str(digits_run.folder), size_px=28)


def test_an_lstm_on_stored_rows_is_the_packed_network(lstm_run, videos):
    video = str(videos / "left/0.mp4")
    whole = Extractor(str(lstm_run.folder), layers=("pool",)).video(video)
    apart = Extractor(f"lstm:{lstm_run.folder}").video(video)
    assert whole.values.shape == apart.values.shape == (1, 32)
    np.testing.assert_allclose(whole.values, apart.values, rtol=1e-4, atol=1e-5)


def test_the_sequence_is_saved_under_torchs_names(lstm_run):
    tensors = load_file(lstm_run.folder / "sequence.safetensors")
    whole = load_file(lstm_run.folder / "model.safetensors")
    assert {"weight_ih_l0", "weight_hh_l0_reverse", "attention.project.weight", "fc.bias"} <= tensors.keys()
    assert torch.equal(tensors["weight_ih_l0"], whole["lstm.weight_ih_l0"])
    table = tomllib.loads((lstm_run.folder / "model.toml").read_text())
    assert table["sequence"] == {
        "kind": "lstm",
        "features": 128,
        "hidden": 16,
        "layers": 1,
        "bidirectional": True,
        "pool": "attention",
        "steps": 8,
    }
    assert table["recipe"]["model"] == "backbone.vfmodel"


def test_a_3d_network_of_short_clips_is_packed(videos, tmp_path):
    made = run(
        videos, tmp_path / "c3d", model="c3d", width=2, size=32, clip=8, clip_fps=8, epochs=1, batch_size=4, val=0.2
    )
    assert made.card.not_packed is None
    assert Extractor(str(made.folder)).video(str(videos / "left/0.mp4")).values.shape == (1, 128)


def test_a_frozen_network_learns_its_head_alone(pictures, tmp_path):
    options = {"model": "timm/test_resnet", "weights": "random:3", "size": 32, "epochs": 1, "batch_size": 8}
    made = run(pictures, tmp_path / "frozen", freeze=True, **options)
    before = load_model("timm/test_resnet", weights="random:3", size_px=32).module.state_dict()
    after = load_file(made.folder / "model.safetensors")
    assert {name for name in after if not name.startswith("fc.")} == {n for n in before if not n.startswith("fc.")}
    assert [name for name in after if not name.startswith("fc.") and not torch.equal(after[name], before[name])] == []
    assert after["fc.weight"].shape[0] == 3


def test_the_last_layers_can_learn_with_the_head(pictures, tmp_path):
    options = {"model": "timm/test_resnet", "weights": "random:3", "size": 32, "epochs": 1, "batch_size": 8}
    made = run(pictures, tmp_path / "last", unfreeze_last=1, **options)
    before = load_model("timm/test_resnet", weights="random:3", size_px=32).module.state_dict()
    after = load_file(made.folder / "model.safetensors")
    changed = {
        name.rpartition(".")[0]
        for name in after
        if not name.startswith("fc.") and not torch.equal(after[name], before[name])
    }
    assert len(changed) == 1


def test_a_loss_that_is_no_number_ends_the_run_with_its_step(pictures, tmp_path):
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) at step \d+ \(epoch \d\)"):
        run(pictures, tmp_path / "nan", size=8, epochs=3, batch_size=8, lr=1e30, optimizer="sgd", schedule="constant")


def test_weights_that_the_last_step_spoiled_make_no_checkpoint():
    network = Cnn(3, size_px=(8, 8))
    spec = InputSpec(size_px=(8, 8), resize_px=8, mean=(0.5,) * 3, std=(0.5,) * 3)
    learner = Classifier(network, spec, Settings(), classes=3, steps=1)
    learner.check_weights()
    with torch.no_grad():
        network.fc1.bias[0] = torch.inf
    with pytest.raises(TrainingError, match=r"fc1.bias is not finite at step 0 \(epoch 1\)"):
        learner.check_weights()


def test_a_gpu_that_is_not_there_is_said(pictures, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(UsageError, match="--device cuda: torch finds 0 GPUs here"):
        run(pictures, tmp_path / "gpu", size=8, device="cuda")


def test_several_labels_at_once(pictures, tmp_path):
    table = tmp_path / "labels.csv"
    files = sorted(pictures.rglob("*.png"))
    rows = [f"{path},{path.parent.name}|{'even' if int(path.parent.name[-1]) % 2 == 0 else 'odd'}" for path in files]
    table.write_text("uri,label\n" + "\n".join(rows))
    made = run(table, tmp_path / "multi", size=8, epochs=2, batch_size=8, multilabel=True, val=0.25)
    assert made.card.classes == ("digit0", "digit1", "digit2", "even", "odd")
    assert set(made.card.metrics) == {"val_accuracy", "val_macro_f1", "val_exact"}


def test_a_cache_on_disk_and_none_give_the_same_weights(pictures, digits_run, tmp_path):
    for cache in ("disk", "none"):
        made = run(pictures, tmp_path / cache, size=8, epochs=3, val=0.25, batch_size=8, cache=cache)
        assert (made.folder / "model.safetensors").read_bytes() == (
            digits_run.folder / "model.safetensors"
        ).read_bytes()
        assert not (made.folder / "cache").exists()


def test_idx_files_train_and_test(tmp_path):
    made = run(digits_folder(tmp_path / "idx", train=200, test=50), tmp_path / "run", size=8, epochs=1)
    assert made.card.data.splits == {"train": 180, "val": 20, "test": 50}
    assert made.card.classes == tuple("0123456789")
    assert "test_top5" in made.card.metrics
