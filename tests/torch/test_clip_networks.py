"""Networks of clips: their inputs, layers, packed graphs and engines."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from benchmarks.stirring import stir
from visfeat.engine.network import NetworkOptions
from visfeat.engine.openvino import OpenvinoEngine
from visfeat.engine.pack import MOST_VALUES, pack, relative_error, run
from visfeat.engine.torch import TorchEngine
from visfeat.errors import ModelError, UsageError
from visfeat.models.registry import load_model, model_names
from visfeat.models.shapes import input_shape
from visfeat.models.survey import count_class_tokens
from visfeat.models.torchvision_clips import clip_input, clip_settings
from visfeat.pool import default_pool, pooled_shape

NAMES = torchvision.models.list_models(module=torchvision.models.video)
HERE = Path(__file__).parent


def load(model, size_px=None, clip_frames=None):
    return load_model(model, weights="random:0", size_px=size_px, clip_frames=clip_frames)


@pytest.fixture(scope="module")
def r3d():
    model = load("torchvision/r3d_18", 32, 4)
    stir(model.module)
    return model


@pytest.fixture(scope="module")
def packed(r3d):
    return pack(r3d)


@pytest.mark.parametrize("name", NAMES)
def test_the_input_is_that_of_torchvisions_own_evaluation(name):
    weights = torchvision.models.get_model_weights(name).DEFAULT
    transform, said = weights.transforms(), weights.meta["_docs"]
    spec = clip_input(transform, clip_settings(name), None)
    assert spec.clip_frames == int(re.search(r"`clip_len=(\d+)`", said)[1])
    assert spec.clip_fps == float(re.search(r"`frame_rate=([\d.]+)`", said)[1])
    assert list(spec.size_px) == transform.crop_size
    assert list(spec.resize_to_px or [spec.resize_px]) == transform.resize_size
    assert (list(spec.mean), list(spec.std)) == (list(transform.mean), list(transform.std))
    assert (spec.interpolation, spec.antialias) == ("bilinear", False)
    fewest = min(clip_settings(name).lengths or (clip_settings(name).fewest,))
    assert fewest >= weights.meta.get("min_temporal_size", 1)


def test_every_network_of_clips_is_listed():
    assert len(NAMES) == 9
    assert set(model_names("torchvision/*")) >= {f"torchvision/{name}" for name in NAMES}


def test_what_is_resized_to_follows_another_size(r3d):
    assert (r3d.card.input.size_px, r3d.card.input.resize_to_px) == ((32, 32), (36, 48))


def test_layers_have_time(r3d):
    card = r3d.card
    assert input_shape(card.input) == (3, 4, 32, 32)
    assert (card.layer("layer2").kind, card.layer("layer2").shape) == ("map", (128, 2, 8, 8))
    assert (card.default_layer, card.logits_layer) == ("avgpool", "fc")
    assert pooled_shape(card.layer("avgpool"), default_pool(card, "avgpool")) == (512,)
    assert len(card.class_names) == 400
    assert card.class_names[0] == "abseiling"


def test_a_packed_network_equals_a_handwritten_loop(r3d, packed):
    reference = torchvision.models.get_model("r3d_18", weights=None).eval()
    reference.load_state_dict(r3d.module.state_dict())
    pixels = torch.randn(3, 3, 4, 32, 32)
    for layer in ("layer1.0.conv1.1", "layer3", "avgpool", "fc"):
        taken = []
        handle = reference.get_submodule(layer).register_forward_hook(lambda _m, _i, out, to=taken: to.append(out + 0))
        with torch.no_grad():
            reference(pixels)
        handle.remove()
        for chosen in (None, (layer,)):
            found = run(packed, pixels.numpy(), chosen)[layer]
            assert found.shape == (3, *packed.card.layer(layer).shape)
            assert relative_error(found, taken[0].numpy()) < 1e-5, layer


def test_both_engines_give_the_modules_numbers(r3d, packed):
    clips = np.random.default_rng(0).integers(0, 256, (2, 4, 32, 32, 3), dtype=np.uint8)
    options = NetworkOptions(layers=("layer3", "fc"), input=r3d.card.input)
    mean, std = (torch.tensor(values).view(3, 1, 1, 1) for values in (r3d.card.input.mean, r3d.card.input.std))
    with torch.no_grad():
        expected = r3d.module((torch.from_numpy(clips).permute(0, 4, 1, 2, 3) / 255 - mean) / std).numpy()
    for engine, model in ((TorchEngine(), r3d), (OpenvinoEngine(), packed)):
        network = engine.compile(model, options)
        assert network.batch_size == 2
        ((_, outputs),) = network.stream([(None, clips)])
        assert outputs["layer3"].shape == (2, 256, 1, 4, 4)
        assert relative_error(outputs["fc"], expected) < 1e-5


@pytest.mark.parametrize(
    ("model", "clip_frames", "message"),
    [
        ("torchvision/mvit_v2_s", 8, "--clip 8: torchvision/mvit_v2_s takes 16 frames"),
        ("torchvision/s3d", 8, "--clip 8: torchvision/s3d takes 14 frames or more"),
        ("torchvision/r3d_18", 1, "--clip 1: torchvision/r3d_18 takes 2 frames or more"),
        ("torchvision/squeezenet1_1", 16, "--clip 16: torchvision/squeezenet1_1 sees single pictures, not clips"),
        ("bundled/efficientnet_lite0", 16, "--clip 16: bundled/efficientnet_lite0 sees single pictures, not clips"),
    ],
)
def test_a_length_that_a_network_cannot_take_is_said_so(model, clip_frames, message):
    weights = "pretrained" if model.startswith("bundled") else "random:0"
    with pytest.raises(UsageError, match=message):
        load_model(model, weights=weights, clip_frames=clip_frames)


def test_a_packed_file_keeps_its_length(packed, tmp_path):
    packed.save(tmp_path / "net.vfmodel")
    name = str(tmp_path / "net.vfmodel")
    assert load_model(name, clip_frames=4).card == packed.card
    with pytest.raises(UsageError, match="is packed for 4 frames; pack it anew: visfeat pack torchvision/r3d_18"):
        load_model(name, clip_frames=8)


def test_maps_of_swin_have_their_channels_last():
    card = load("torchvision/swin3d_t", 64, 4).card
    shape = {name: (card.layer(name).shape, card.layer(name).channels_last) for name in ("features.0", "norm")}
    assert shape == {"features.0": ((2, 16, 16, 96), True), "norm": ((2, 2, 2, 768), True)}
    assert (card.layer("patch_embed.proj").channels_last, card.default_layer) == (False, "avgpool")


def test_class_tokens_are_counted():
    module = nn.Module()
    module.class_token = nn.Parameter(torch.zeros(96))
    module.inner = nn.Module()
    module.inner.cls_token = nn.Parameter(torch.zeros(1, 2, 96))
    assert count_class_tokens(module) == 3


def test_your_own_network_of_clips(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    own = load("own_nets:of_clips")
    assert (own.card.input.clip_frames, own.card.input.clip_fps) == (6, 12.5)
    assert own.card.layer("0").shape == (8, 3, 16, 16)
    assert own.card.default_layer == "3"
    assert load("own_nets:of_clips", clip_frames=10).card.layer("0").shape == (8, 5, 16, 16)
    pixels = torch.randn(2, 3, 6, 32, 32)
    found = run(pack(own), pixels.numpy())
    with torch.no_grad():
        assert relative_error(found["4"], own.module(pixels).numpy()) < 1e-5


class FramesFirst(nn.Module):
    """Takes ``(N, T, 3, H, W)``, as many video transformers do."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x.transpose(1, 2))


@pytest.mark.parametrize(
    ("order", "axes", "free", "clip_frames"),
    [("frames second", (1, 6, 3, 32, 32), (), 6), ("channels second", (1, 3, 6, 32, 32), (2,), 8)],
)
def test_onnx_files_of_clips(tmp_path, monkeypatch, order, axes, free, clip_frames):
    pytest.importorskip("onnx")
    monkeypatch.syspath_prepend(str(HERE))
    module = load("own_nets:of_clips").module
    dynamic = {"x": {axis: f"axis{axis}" for axis in (0, *free)}}
    path = tmp_path / "net.onnx"
    exported = FramesFirst(module) if order == "frames second" else module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(exported, torch.zeros(axes), path, dynamo=False, input_names=["x"], dynamic_axes=dynamic)
    loaded = load_model(str(path), clip_frames=clip_frames)
    assert (loaded.card.input.clip_frames, loaded.card.input.size_px) == (clip_frames, (32, 32))
    pixels = torch.randn(2, 3, clip_frames, 32, 32)
    found = run(loaded, pixels.numpy())
    with torch.no_grad():
        assert relative_error(found[loaded.card.logits_layer], module(pixels).numpy()) < 1e-5
    if not free:
        with pytest.raises(UsageError, match=r"--clip 7: .*net.onnx takes 6 frames"):
            load_model(str(path), clip_frames=7)


def test_an_input_of_another_rank_is_refused(tmp_path):
    pytest.importorskip("onnx")
    path = tmp_path / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(nn.Linear(4, 2), torch.zeros(1, 3, 4), path, dynamo=False)
    with pytest.raises(ModelError, match=r"its input is .* not \(N, 3, H, W\) or \(N, 3, T, H, W\)"):
        load_model(str(path))


class Large(nn.Module):
    """Its first layer has more values than all layers of a packed model may have."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Conv3d(3, 64, 1)
        self.narrow = nn.Conv3d(64, 2, 1)
        self.fc = nn.Linear(2, 3)

    def forward(self, x):
        return self.fc(self.narrow(self.wide(x)).mean((2, 3, 4)))


@pytest.mark.slow
def test_layers_beyond_measure_are_packed_only_when_asked_for(monkeypatch):
    from visfeat.models.describe import Description, describe
    from visfeat.models.source import ModelRequest

    side = int((MOST_VALUES / 64 / 4) ** 0.5) + 8
    spec = load("torchvision/r3d_18", 32, 4).card.input.model_copy(update={"size_px": (side, side)})
    model = describe(Large(), Description("large", "", spec, classifier=True), ModelRequest("large"))
    assert "wide" in {layer.name for layer in model.card.layers}
    assert "wide" not in {layer.name for layer in pack(model).card.layers}
    assert "wide" in {layer.name for layer in pack(model, ["wide"]).card.layers}


@pytest.mark.slow
def test_tokens_of_mvit_are_patches_and_one_class_token():
    model = load("torchvision/mvit_v2_s")
    card = model.card
    assert (card.layer("blocks.0").shape, card.layer("blocks.0").prefix_tokens) == ((25089, 96), 1)
    assert (card.layer("norm").shape, card.layer("norm").prefix_tokens) == ((393, 768), 1)
    assert card.layer("conv_proj").shape == (96, 8, 56, 56)


@pytest.mark.slow
def test_a_packed_transformer_of_clips_equals_the_module():
    model = load("torchvision/swin3d_t", 64, 8)
    stir(model.module)
    pixels = torch.randn(2, 3, 8, 64, 64)
    with torch.no_grad():
        expected = model.module(pixels).numpy()
    assert relative_error(run(pack(model), pixels.numpy(), ("head",))["head"], expected) < 1e-5


def test_a_network_may_go_as_soon_as_it_has_answered(packed):
    """Freeing one while its thread still holds a request has hung for ever."""
    clips = np.zeros((2, 4, 32, 32, 3), dtype=np.uint8)
    for _ in range(8):
        network = OpenvinoEngine().compile(packed, NetworkOptions(layers=("fc",), input=packed.card.input))
        assert len(list(network.stream([(None, clips)]))) == 1
        del network
