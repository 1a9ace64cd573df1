"""I3D: shapes as published, names as in the public checkpoints, padding as TensorFlow's."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

import visfeat as vf
from benchmarks.stirring import stir
from flow_made import moved, similarity
from media_made import opened, write_video
from visfeat.engine.pack import pack, relative_error, run
from visfeat.errors import ModelError, UsageError, WeightsMismatch
from visfeat.flow.dis import DisFlow
from visfeat.flow.field import from_bytes, to_bytes
from visfeat.models.i3d import I3d, i3d_network, same_padded
from visfeat.models.registry import load_model


def shapes_of(*clip, channels=3):
    """The shape after each part, without computing a value."""
    with torch.device("meta"):
        net, values, shapes = I3d(channels=channels).eval(), torch.zeros(1, channels, *clip), {}
    for name, part in net.named_children():
        values = part(values)
        shapes[name] = tuple(values.shape[1:])
    return shapes


def test_shapes_are_those_of_the_paper():
    shapes = shapes_of(64, 224, 224)
    assert shapes["Conv3d_1a_7x7"] == (64, 32, 112, 112)
    assert shapes["MaxPool3d_3a_3x3"] == (192, 32, 28, 28)
    assert shapes["Mixed_3c"] == (480, 32, 28, 28)
    assert shapes["Mixed_4f"] == (832, 16, 14, 14)
    assert shapes["Mixed_5c"] == (1024, 8, 7, 7)
    assert shapes["avg_pool"] == (1024, 7, 1, 1)
    assert shapes["logits"] == (400, 7, 1, 1)
    assert shapes_of(9, 193, 193)["avg_pool"] == (1024, 1, 1, 1)
    assert shapes_of(64, 224, 224, channels=2) == shapes


def test_parameters_and_their_names():
    state = I3d().state_dict()
    assert sum(value.numel() for value in I3d().parameters()) == 12_697_264
    assert state["Conv3d_1a_7x7.conv3d.weight"].shape == (64, 3, 7, 7, 7)
    assert state["Mixed_4e.b2b.conv3d.weight"].shape == (64, 32, 3, 3, 3)
    assert state["Mixed_5c.b3b.bn.running_var"].shape == (128,)
    assert state["logits.conv3d.bias"].shape == (400,)
    assert not any(name.endswith("conv3d.bias") for name in state if not name.startswith("logits"))


@pytest.mark.parametrize(
    ("length", "kernel", "stride", "before", "after"),
    [(224, 7, 2, 2, 3), (225, 7, 2, 3, 3), (112, 3, 2, 0, 1), (7, 3, 1, 1, 1), (8, 2, 2, 0, 0), (7, 2, 2, 0, 1)],
)
def test_padding_is_that_of_tensorflow(length, kernel, stride, before, after):
    """Total ``max((ceil(length / stride) - 1) * stride + kernel - length, 0)``, the odd zero at the end."""
    padded = same_padded(torch.ones(1, 1, 1, 1, length), (1, 1, kernel), (1, 1, stride)).flatten()
    assert padded.tolist() == [0.0] * before + [1.0] * length + [0.0] * after


@pytest.fixture(scope="module")
def small():
    return load_model("i3d/rgb", weights="random:0", clip_frames=9)


@pytest.mark.slow
def test_the_card(small):
    card = small.card
    assert (card.default_layer, card.layer("avg_pool").shape) == ("avg_pool", (1024, 1, 1, 1))
    assert card.layer("Mixed_5c").shape == (1024, 2, 7, 7)
    assert (card.input.clip_frames, card.input.clip_fps, card.input.mean) == (9, 25, (0.5, 0.5, 0.5))


def test_a_checkpoint_is_read_whatever_its_classes(tmp_path):
    state = I3d(7).state_dict()
    torch.save(state, tmp_path / "rgb.pt")
    network = i3d_network(str(tmp_path / "rgb.pt"), subject="i3d/rgb")
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.mark.slow
def test_the_stream_of_flow(tmp_path):
    state = I3d(7, channels=2).state_dict()
    assert state["Conv3d_1a_7x7.conv3d.weight"].shape == (64, 2, 7, 7, 7)
    rgb = I3d(7).state_dict()
    assert [key for key in rgb if rgb[key].shape != state[key].shape] == ["Conv3d_1a_7x7.conv3d.weight"]
    torch.save(state, tmp_path / "flow.pt")
    model = load_model("i3d/flow", weights=str(tmp_path / "flow.pt"), clip_frames=9)
    assert torch.equal(model.module.state_dict()["logits.conv3d.bias"], state["logits.conv3d.bias"])
    spec = model.card.input
    assert (spec.kind, spec.channels, spec.size_px, spec.resize_px) == ("flow", 2, (224, 224), 256)
    assert (model.card.default_layer, model.card.layer("avg_pool").shape) == ("avg_pool", (1024, 1, 1, 1))
    with pytest.raises(WeightsMismatch, match="64, 3, 7, 7, 7"):
        load_model("i3d/rgb", weights=str(tmp_path / "flow.pt"))


@pytest.mark.slow
def test_flow_of_a_video_through_the_network(tmp_path):
    """What the network is given is the flow of the whole resized picture, cut off, quantized, its center cut out."""
    pictures = [moved(similarity(1.5 * n, n)) for n in range(11)]
    video = write_video(tmp_path / "v.mp4", pictures, rate=25, options={"crf": "0"})
    extractor = vf.Extractor("i3d/flow", weights="random:0", clip=9, stride=1, preprocess="reference", engine="torch")
    found = extractor.video(video)
    assert found.values.shape == (2, 1024)
    assert np.allclose(found.start_s, [0, 0.04])
    assert np.allclose(found.end_s, [0.36, 0.4])
    with closing(opened(video)) as decoder:
        resized = [np.asarray(Image.fromarray(f.rgb()).resize((341, 256), Image.BILINEAR)) for f in decoder.frames()]
    fields = [DisFlow()(before, after) for before, after in pairwise(resized)]
    clip = np.stack([from_bytes(to_bytes(field))[16:240, 58:282] for field in fields])[:9] / 20
    module = load_model("i3d/flow", weights="random:0", clip_frames=9).module
    seen = {}
    module.avg_pool.register_forward_hook(lambda _module, _input, output: seen.update(avg_pool=output))
    with torch.inference_mode():
        module(torch.from_numpy(clip).permute(3, 0, 1, 2)[None])
    expected = seen["avg_pool"].mean((2, 3, 4))[0].numpy()
    assert relative_error(found.values[0], expected) < 1e-4


@pytest.mark.slow
def test_packed_equals_eager(small):
    stir(small.module)
    pixels = torch.randn(1, 3, 9, 224, 224)
    found = run(pack(small), pixels.numpy(), ("Mixed_4b", "logits"))
    with torch.no_grad():
        expected = small.module(pixels).numpy()
    assert relative_error(found["logits"].mean((2, 3, 4)), expected) < 1e-5


def test_what_it_cannot_do_is_said():
    with pytest.raises(ModelError, match="no weights come with it; say --weights FILE"):
        load_model("i3d/rgb")
    with pytest.raises(UsageError, match="--clip 8: i3d/rgb takes 9 frames or more"):
        load_model("i3d/rgb", weights="random:0", clip_frames=8)
