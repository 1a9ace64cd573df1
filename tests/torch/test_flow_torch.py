"""RAFT against torchvision's own call, flow's colors against torchvision's, networks that see flow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.models.optical_flow import raft_large
from torchvision.utils import flow_to_image

import visfeat as vf
from flow_made import moved, pair, similarity
from media_made import write_video
from visfeat.engine.pack import pack
from visfeat.engine.raft import RaftFlow, padding
from visfeat.errors import ModelError, UsageError, WeightsMismatch
from visfeat.flow.color_wheel import colored
from visfeat.flow.field import MEAN, ROUNDING_PX, STD
from visfeat.models.raft import pack_raft, raft_network
from visfeat.models.registry import load_model


@pytest.fixture
def own_nets_can_be_imported(request, monkeypatch):
    monkeypatch.syspath_prepend(str(request.path.parent))


@pytest.fixture(scope="module")
def raft():
    return RaftFlow(pack_raft("random:3"))


def flow_by_torchvision(before, after, pads):
    """Torchvision's network over pictures padded by hand."""
    _, network = raft_network("random:3")
    pictures = [
        torch.from_numpy(np.pad(picture, (*pads, (0, 0)), mode="edge")).permute(2, 0, 1)[None].float() / 127.5 - 1
        for picture in (before, after)
    ]
    with torch.inference_mode():
        flow = network(*pictures)[-1][0].permute(1, 2, 0).numpy()
    return flow[pads[0][0] : pads[0][0] + before.shape[0], pads[1][0] : pads[1][0] + before.shape[1]]


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width"), [(136, 128), (131, 157), (90, 130)])
def test_raft_is_torchvisions(raft, height, width):
    before, after = (picture[:height, :width] for picture in pair(similarity(3, 1)))
    pads = padding(height), padding(width)
    assert all(
        (sum(pad) + side) % 8 == 0 and sum(pad) + side >= 128 for pad, side in zip(pads, before.shape[:2], strict=True)
    )
    found = raft(before, after)
    assert found.shape == (height, width, 2)
    assert found.dtype == np.float32
    assert np.abs(found - flow_by_torchvision(before, after, pads)).max() < 0.01


@pytest.mark.slow
def test_raft_as_input(tmp_path, monkeypatch):
    monkeypatch.setenv("VISFEAT_CACHE", str(tmp_path / "cache"))
    video = write_video(tmp_path / "v.mp4", [moved(similarity(n)) for n in range(5)], rate=15)
    options = {"model": "classic/hof", "clip": 2, "size": 64}
    raft = vf.Extractor(flow="raft", flow_weights="random:3", **options)
    found = raft.video(video)
    assert found.values.shape == (2, 144)
    again = vf.Extractor(flow_weights="random:3", **options)
    assert again.recipe.digest == raft.recipe.digest
    assert np.array_equal(again.video(video).values, found.values)
    dis = vf.Extractor(**options)
    assert dis.recipe.digest != raft.recipe.digest
    assert not np.allclose(dis.video(video).values, found.values)


def test_a_file_of_weights_says_which_raft_it_is(tmp_path):
    torch.save(raft_large(weights=None).state_dict(), tmp_path / "large.pth")
    name, network = raft_network(str(tmp_path / "large.pth"))
    assert name == "raft_large"
    stored = torch.load(tmp_path / "large.pth")
    assert all(torch.equal(value, stored[key]) for key, value in network.state_dict().items())
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match="neither torchvision's raft_small nor its raft_large"):
        raft_network(str(tmp_path / "other.pth"))
    torch.save({"feature_encoder.convnormrelu.0.weight": torch.zeros(32, 3, 7, 7)}, tmp_path / "part.pth")
    with pytest.raises(WeightsMismatch, match="raft_small"):
        raft_network(str(tmp_path / "part.pth"))


def test_colors_are_torchvisions():
    flow = np.random.default_rng(0).normal(0, 4, (40, 50, 2)).astype(np.float32)
    theirs = flow_to_image(torch.from_numpy(flow.transpose(2, 0, 1))).permute(1, 2, 0).numpy()
    assert np.abs(colored(flow).astype(int) - theirs).max() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flow": "raft"}, "--flow raft: say --flow-weights FILE"),
        ({"flow": "dis", "flow_weights": "random:0"}, "dis has no weights"),
        ({"input": "rgb"}, "--input rgb: classic/hof sees optical flow"),
        ({"mean": (0, 0, 0)}, "--mean: classic/hof sees 2 channels"),
        ({"model": "bundled/efficientnet_lite0", "input": "flow"}, "--input flow: .* sees pixels"),
        ({"model": "bundled/efficientnet_lite0", "flow": "dis"}, "--flow dis: .* sees pixels"),
    ],
)
def test_what_does_not_go_together_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        vf.Extractor(**({"model": "classic/hof"} | options))


def test_saying_what_a_network_sees_anyway_changes_nothing():
    assert vf.Extractor(input="rgb").recipe.digest == vf.Extractor().recipe.digest
    assert vf.Extractor("classic/hof", input="flow", flow="dis").recipe == vf.Extractor("classic/hof").recipe


@pytest.mark.usefixtures("own_nets_can_be_imported")
def test_a_network_of_ones_own_sees_flow_over_twenty(tmp_path):
    """Two channels, the mean of each: what it is given is flow / 20, on openvino and on torch."""
    video = write_video(tmp_path / "v.mp4", [moved(similarity(2 * n, -n)) for n in range(6)], rate=10)
    for engine in ("openvino", "torch"):
        extractor = vf.Extractor("own_nets:mean_flow", engine=engine, fps=10)
        found = extractor.video(video)
        assert found.values.shape == (5, 2)
        # 180 pixels became 96; the rounding to bytes is the same everywhere, so it does not average out.
        assert np.allclose(found.values, [np.array([2, -1]) * 96 / 180 / 20] * 5, atol=ROUNDING_PX / 20 + 0.002)
        assert np.allclose(found.start_s, np.arange(5) / 10)
        assert np.allclose(found.end_s, np.arange(1, 6) / 10)
        assert extractor.recipe.input == "flow"


@pytest.mark.usefixtures("own_nets_can_be_imported")
def test_a_graph_of_two_channels_is_read_with_its_card(tmp_path):
    packed = pack(load_model("own_nets:mean_flow"))
    packed.save(tmp_path / "mean.vfmodel")
    assert load_model(str(tmp_path / "mean.vfmodel")).card.input.kind == "flow"
    (tmp_path / "mean.xml").write_bytes(packed.graph_xml)
    (tmp_path / "mean.bin").write_bytes(packed.weights)
    with pytest.raises(ModelError, match="none of its axes has the 3 channels"):
        load_model(str(tmp_path / "mean.xml"))
    (tmp_path / "mean.toml").write_text('[input]\nkind = "flow"\n')
    spec = load_model(str(tmp_path / "mean.xml")).card.input
    assert (spec.kind, spec.size_px, spec.mean, spec.std) == ("flow", (96, 128), MEAN, STD)
    video = write_video(tmp_path / "v.mp4", [moved(similarity(2 * n)) for n in range(3)], rate=10)
    found = [
        vf.Extractor(str(tmp_path / f"mean.{ending}"), fps=10, layers=None).video(video).values
        for ending in ("xml", "vfmodel")
    ]
    assert found[0].shape == (2, 2)
    assert np.allclose(found[0][:, 0], 2 * spec.resize_px / 180 / 20, rtol=0.1)
    assert np.allclose(found[1][:, 0], 2 * 96 / 180 / 20, rtol=0.1)
