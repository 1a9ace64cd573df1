"""An LSTM autoencoder on a store's rows: what it learns, measures and saves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from train_made import moving_squares
from visfeat.errors import ModelError, UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.extraction.run import extract
from visfeat.models.registry import load_model
from visfeat.store.feature_store import open_store
from visfeat.train.batches import Batches
from visfeat.train.data.rows import RowPixels, load_sequences
from visfeat.train.models.lstm_autoencoder import LstmAutoencoder
from visfeat.train.run import train
from visfeat.train.sequences import Reconstruction, encoder_of_raw_rows, reconstruction_errors
from visfeat.train.settings import Settings


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sequences")
    moving_squares(folder / "videos", each=4, frames=12)
    moving_squares(folder / "videos/short", each=1, frames=3)
    extract([str(folder / "videos")], store=folder / "media.vf", fps=8, size=32)
    return folder / "media.vf"


@pytest.fixture(scope="module")
def run(store, tmp_path_factory):
    out = str(tmp_path_factory.mktemp("runs") / "sequences")
    options = {"clip": 6, "stride": 3, "hidden": 12, "epochs": 4, "batch_size": 8, "val": 0.25, "lr": 0.01}
    return train(
        Settings.from_options(data=(str(store),), out=out, model="lstm_autoencoder", logger=("csv",), **options)
    )


def test_windows_of_the_rows_of_each_video(store):
    sequences = load_sequences(Settings.from_options(data=(str(store),), clip=6, stride=3, val=0.25))
    rows = {uri: [] for uri in open_store(store).features()[1]["uri"].to_pylist()}
    for value, uri in zip(*(lambda v, t: (v, t["uri"].to_pylist()))(*open_store(store).features()), strict=True):
        rows[uri].append(value)
    assert len(sequences.values) == 8 * 3
    for n, sample in enumerate(sequences.values.take(np.arange(3))):
        assert np.array_equal(sample, np.array(rows[sequences.sources[0].uri])[3 * n : 3 * n + 6])
    assert [reason for _, _, reason in sequences.rejected] == ["has 3 rows, fewer than --clip 6"] * 2
    assert sorted(source.split for source in sequences.sources) == ["train"] * 6 + ["val"] * 2


def test_it_learns_and_is_measured_beside_guesses(run):
    metrics = run.card.metrics
    assert set(metrics) == {"val_mse", "val_mse_of_mean", "val_mse_of_sequence_mean", "val_mse_of_last_row"}
    assert 0 < metrics["val_mse"] < metrics["val_mse_of_last_row"]


def test_guesses_by_their_formulas():
    rows = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    module = Reconstruction(
        LstmAutoencoder(3, hidden=4), Settings(), mean=np.array([1.0, 2.0, 3.0]), scale=2.0, steps=1
    )
    batches = Batches(RowPixels(rows, np.array([0, 5]), 5), np.zeros(2, np.int64), np.array([0, 1]), 2)
    found = reconstruction_errors(module.eval(), batches)
    x = ((rows - [1.0, 2.0, 3.0]) / 2).reshape(2, 5, 3)
    assert found["mse_of_mean"] == pytest.approx((x**2).mean(), rel=1e-5)
    assert found["mse_of_sequence_mean"] == pytest.approx(((x - x.mean(axis=1, keepdims=True)) ** 2).mean(), rel=1e-5)
    assert found["mse_of_last_row"] == pytest.approx(((x - x[:, -1:]) ** 2).mean(), rel=1e-5)
    assert found["mse"] > 0


def test_the_saved_encoder_reads_rows_as_they_are_stored():
    network = LstmAutoencoder(5, hidden=7)
    mean, scale = np.linspace(-3, 4, 5), 2.5
    raw = LstmAutoencoder(5, hidden=7)
    raw.lstm.load_state_dict(encoder_of_raw_rows(network, mean, scale))
    rows = torch.randn(4, 6, 5) * 3
    expected = network.encode((rows - torch.from_numpy(mean).float()) / scale)
    torch.testing.assert_close(raw.encode(rows), expected, rtol=1e-4, atol=1e-5)


def test_a_video_gets_the_encoders_last_state(run, store):
    video = str(store.parent / "videos/left/0.mp4")
    found = Extractor(f"lstm:{run.folder}").video(video)
    tensors = load_file(run.folder / "sequence.safetensors")
    lstm = torch.nn.LSTM(1280, 12, batch_first=True)
    lstm.load_state_dict(tensors)
    rows = Extractor("bundled/efficientnet_lite0", size=32).video(video, fps=8).values
    expected = lstm(torch.from_numpy(rows)[None])[1][0][-1]
    np.testing.assert_allclose(found.values, expected.detach().numpy(), rtol=1e-3, atol=1e-5)


def test_rows_of_a_trained_network_lead_back_to_it(tmp_path):
    videos = moving_squares(tmp_path / "videos", each=4, frames=8)
    folder = tmp_path / "project"
    options = {"size": 8, "epochs": 1, "batch_size": 8, "every_s": "0.25s", "logger": ("csv",)}
    frames = train(Settings.from_options(data=(str(videos),), out=str(folder / "frames"), **options)).folder
    extract([str(videos)], store=tmp_path / "f.vf", model=str(frames), layers=("fc1",), fps=8)
    options = {"model": "lstm_autoencoder", "clip": 4, "hidden": 6, "epochs": 1, "logger": ("csv",)}
    options |= {"data": (str(tmp_path / "f.vf"),)}
    video = str(videos / "left/0.mp4")
    made = [train(Settings.from_options(out=str(out / "moves"), **options)) for out in (folder, tmp_path / "apart")]
    assert [one.card.recipe["model"] for one in made] == ["../frames", str(frames.resolve())]
    expected = Extractor(f"lstm:{made[0].folder}").video(video).values
    assert expected.shape == (1, 6)
    np.testing.assert_array_equal(Extractor(f"lstm:{made[1].folder}").video(video).values, expected)
    moved = folder.rename(tmp_path / "moved")
    np.testing.assert_array_equal(Extractor(f"lstm:{moved / 'moves'}").video(video).values, expected)
    with pytest.raises(ModelError, match=r"it reads rows of the network /.*/project/frames, which is not there"):
        Extractor(f"lstm:{made[1].folder}")


def test_it_is_no_network_of_pictures(run):
    with pytest.raises(ModelError, match="extract with --model lstm:RUN"):
        load_model(str(run.folder))


def test_what_cannot_be_learned_from_is_said(store, tmp_path):
    options = {"model": "lstm_autoencoder", "out": str(tmp_path / "run")}
    with pytest.raises(UsageError, match="no video has so many rows; the longest has 12"):
        train(Settings.from_options(data=(str(store),), clip=13, **options))
    with pytest.raises(UsageError, match="no features of recipe other"):
        train(Settings.from_options(data=(str(store),), recipe="other", **options))
    assert not (tmp_path / "run").exists()
