"""Histograms of oriented flow against a loop over pixels; the source and the engine of classic features."""

from __future__ import annotations

import math

import numpy as np
import pytest

import visfeat as vf
from flow_made import moved, similarity, true_flow
from media_made import write_video
from visfeat.engine.classic import ClassicEngine
from visfeat.engine.loading import pack_model
from visfeat.engine.openvino import OpenvinoEngine
from visfeat.errors import CannotPack, EngineError, UsageError
from visfeat.flow.field import to_bytes
from visfeat.models.classic.hof import BINS, CELLS, STILL_PX, hof
from visfeat.models.classic.source import ClassicModels
from visfeat.models.registry import load_model, model_names
from visfeat.testing import EngineSuite, ModelSourceSuite


class TestClassicModels(ModelSourceSuite):
    model = "hof"

    def source(self):
        return ClassicModels()


class TestClassicEngine(EngineSuite):
    layers = ("hof", "magnitude", "camera")

    def engine(self):
        return ClassicEngine()

    def model(self):
        return load_model("classic/hof", size_px=48, clip_frames=2)


def hof_by_loop(flow):
    """Pixel by pixel, as the docstring of ``hof`` says."""
    height, width = flow.shape[:2]
    votes = np.zeros((*CELLS, BINS))
    for y in range(height):
        for x in range(width):
            cell = votes[y * CELLS[0] // height, x * CELLS[1] // width]
            length = math.hypot(*flow[y, x].tolist())
            if length < STILL_PX:
                cell[-1] += 1
                continue
            place = math.degrees(math.atan2(flow[y, x, 1], flow[y, x, 0])) % 360 / 45
            nearer = place - math.floor(place)
            cell[math.floor(place) % 8] += (1 - nearer) * length
            cell[(math.floor(place) + 1) % 8] += nearer * length
    return votes.ravel() / np.linalg.norm(votes)


@pytest.mark.parametrize("shape", [(8, 8), (13, 22), (37, 20)])
def test_hof_is_that_of_the_loop(shape):
    flow = np.random.default_rng(1).normal(0, 1.5, (*shape, 2)).astype(np.float32)
    assert np.allclose(hof(flow), hof_by_loop(flow), atol=1e-5)


@pytest.mark.parametrize(("vector", "bin_"), [((3, 0), 0), ((0, 3), 2), ((-3, 0), 4), ((0, -3), 6), ((0, 0), 8)])
def test_each_direction_has_its_bin(vector, bin_):
    found = hof(np.full((16, 16, 2), vector, np.float32)).reshape(-1, BINS)
    assert np.allclose(found[:, bin_], 0.25, atol=1e-6)
    assert np.count_nonzero(found > 1e-6) == 16


def pan(path, dx_px, frames=33):
    """A video at 15 frames a second whose picture moves by so much a frame."""
    return write_video(path, [moved(similarity(n * dx_px)) for n in range(frames)], rate=15, options={"crf": "5"})


def test_a_pan_through_the_whole_path(tmp_path):
    pan(tmp_path / "pan.mp4", 1.5)
    extractor = vf.Extractor("classic/hof", layers=("hof", "magnitude", "camera"))
    found = extractor.video(tmp_path / "pan.mp4")
    # 33 frames give 32 fields: two clips of 15, and the last 15 again.
    assert found["hof"].values.shape == (3, 144)
    assert found["hof"].frame_index.tolist() == [0, 15, 17]
    assert np.allclose(found["hof"].start_s, [0, 1, 17 / 15])
    assert np.allclose(found["hof"].end_s, [1, 2, 32 / 15])
    # 240 x 180 pixels are squashed to 320 x 180: 1.5 px become 2.
    assert np.allclose(found["camera"].values[:, 0], 2, atol=0.1)
    assert np.allclose(found["camera"].values[:, 1:4], [0, 1, 0], atol=0.05)
    assert np.allclose(found["magnitude"].values[:, 0], 2, atol=0.15)
    to_the_right = found["hof"].values.reshape(3, 16, BINS)[..., 0]
    assert np.linalg.norm(to_the_right, axis=1).min() > 0.97
    assert (extractor.recipe.input, extractor.recipe.flow, extractor.recipe.engine) == ("flow", "dis", "classic")
    assert extractor.recipe.batch_size is None


def test_steps_are_kept_on_request(tmp_path):
    pan(tmp_path / "pan.mp4", 1, frames=17)
    found = vf.Extractor("classic/hof", layers=("camera",), pool="none", stride=1).video(tmp_path / "pan.mp4")
    assert found.values.shape == (2, 15, 6)
    assert np.allclose(found.values[0, 1:], found.values[1, :-1])


def test_a_store_is_filled_and_known_again(tmp_path):
    pan(tmp_path / "a.mp4", 1, frames=16)
    runs = [vf.extract(tmp_path / "a.mp4", store=tmp_path / "s.vf", model="classic/hof") for _ in range(2)]
    assert [(run.rows, run.items["unchanged"]) for run in runs] == [(1, 0), (0, 1)]
    assert runs[0].recipe.digest == vf.Extractor("classic/hof").recipe.digest


def test_names_and_sizes():
    assert "classic/hof" in model_names("classic/*")
    card = load_model("classic/hof", size_px=64, clip_frames=4).card
    assert (card.input.size_px, card.input.clip_frames, card.layer("hof").shape) == ((64, 64), 4, (4, 144))


def test_what_it_cannot_do_is_said(tmp_path):
    with pytest.raises(UsageError, match="is computed, not learned"):
        load_model("classic/hof", weights="random:0")
    with pytest.raises(CannotPack, match="nothing to pack"):
        pack_model("classic/hof", tmp_path / "hof.vfmodel")
    with pytest.raises(UsageError, match="--engine openvino: classic/hof is no network"):
        vf.Extractor("classic/hof", engine="openvino")
    with pytest.raises(UsageError, match="--device cuda: classic/hof is computed on the CPU"):
        vf.Extractor("classic/hof", device="cuda")
    with pytest.raises(EngineError, match="runs classic features"):
        vf.Extractor("bundled/efficientnet_lite0", engine="classic")
    with pytest.raises(EngineError):
        OpenvinoEngine().compile(load_model("classic/hof"), None)


def test_the_camera_layer_of_a_known_field():
    model = load_model("classic/hof", clip_frames=2)
    fields = to_bytes(np.stack([true_flow(similarity(3, -1), 180, 320)] * 2))
    assert np.allclose(model.functions["camera"](fields), [[3, -1, 1, 0, 0, 1]] * 2, atol=0.06)
