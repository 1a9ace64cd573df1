"""Attention and Grad-CAM against their formulas, computed from the networks' own weights and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from media_made import photo, write_video
from train_made import digit_pictures
from visfeat.card import InputSpec
from visfeat.errors import UnknownLayer, UsageError
from visfeat.models.describe import Description, describe
from visfeat.models.registry import load_model
from visfeat.models.source import ModelRequest
from visfeat.show.attention import attention
from visfeat.show.cam import class_map
from visfeat.show.filters import filters
from visfeat.show.heat import scaled_up
from visfeat.show.maps_figure import feature_maps
from visfeat.show.torch_attention import attention_weights
from visfeat.train.settings import Settings

pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def own_nets_can_be_imported(request, monkeypatch):
    monkeypatch.syspath_prepend(str(request.path.parent))


def softmax(values):
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def by_formula(tokens, query, key, heads):
    """softmax(Q K^T / sqrt(d)) of tokens (T, C); query and key are (weight (C, C), bias (C,))."""
    q, k = (
        (tokens @ weight.T + bias).reshape(len(tokens), heads, -1).transpose(1, 0, 2) for weight, bias in (query, key)
    )
    return softmax(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1]))


def given_to(module, part, pixels):
    """What a part of a module is given in one pass."""
    seen = []
    handle = part.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        module(torch.from_numpy(pixels))
    handle.remove()
    return seen[0][0].numpy().astype(np.float64)


def halves(weight, bias):
    """Query and key of a joint projection."""
    weight, bias = weight.detach().numpy().astype(np.float64), bias.detach().numpy().astype(np.float64)
    width = weight.shape[1]
    return (weight[:width], bias[:width]), (weight[width : 2 * width], bias[width : 2 * width])


@pytest.fixture
def pixels():
    return np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)


def test_attention_of_timm_is_softmax_of_its_own_queries_and_keys(pixels):
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(0)
    module = VisionTransformer(img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=5).eval()
    before = module(torch.from_numpy(pixels))
    found = attention_weights(module, pixels)
    assert list(found) == ["blocks.0.attn", "blocks.1.attn"]
    for name, weights in found.items():
        part = module.get_submodule(name)
        expected = by_formula(given_to(module, part, pixels), *halves(part.qkv.weight, part.qkv.bias), heads=3)
        assert weights.shape == (3, 17, 17)
        assert np.abs(weights - expected).max() < 1e-6
        assert part.fused_attn  # as it was
    assert torch.equal(module(torch.from_numpy(pixels)), before)


def test_attention_of_torchvision_is_softmax_of_its_own_queries_and_keys(pixels):
    from torchvision.models.vision_transformer import VisionTransformer

    torch.manual_seed(0)
    module = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=5).eval()
    found = attention_weights(module, pixels)
    assert len(found) == 2
    for name, weights in found.items():
        part = module.get_submodule(name)
        tokens = given_to(module, part, pixels)
        expected = by_formula(tokens, *halves(part.in_proj_weight, part.in_proj_bias), heads=2)
        assert np.abs(weights - expected).max() < 1e-6


def test_attention_of_transformers_is_softmax_of_its_own_queries_and_keys(pixels):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8
    )
    module = transformers.ViTModel(config).eval()
    implementation = module.config._attn_implementation
    found = attention_weights(module, pixels)
    assert module.config._attn_implementation == implementation
    assert [weights.shape for weights in found.values()] == [(2, 17, 17)] * 2
    projections = [part for name, part in module.named_modules() if name.rpartition(".")[2] in ("query", "q_proj")]
    keys = [part for name, part in module.named_modules() if name.rpartition(".")[2] in ("key", "k_proj")]
    for query, key, weights in zip(projections, keys, found.values(), strict=True):
        pair = [(part.weight.detach().numpy(), part.bias.detach().numpy()) for part in (query, key)]
        expected = by_formula(given_to(module, query, pixels), *pair, heads=2)
        assert np.abs(weights - expected).max() < 1e-5


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "photo.png"
    Image.fromarray(photo()).save(path)
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("films") / "film.mp4", [photo(64, 96, seed=n) for n in range(20)])


def test_the_class_token_looks_at_places_of_the_picture(picture):
    found = attention(picture, model="timm/test_vit", weights="random:0")
    last = found.chosen(None)
    heads = found.of_heads(last)
    weights = found.layers[last]
    assert found.prefix_tokens == 1
    assert heads.shape == (len(weights), *found.places)
    assert heads[1, 0, 2, 1] == weights[1, 0, 1 + 2 * found.places[2] + 1]
    assert found.rolled_out().shape == found.places
    assert found.chosen("blocks.0") == "blocks.0.attn"
    with pytest.raises(UnknownLayer, match="blocks"):
        found.chosen("blocks.77")


def test_networks_without_attention_say_so(picture):
    with pytest.raises(UsageError, match=r"own_nets:classifier: has no attention"):
        attention(picture, model="own_nets:classifier")
    with pytest.raises(UsageError, match="is packed"):
        attention(picture, model="bundled/transnetv2")


class OfPictures(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, 2, 1), nn.Conv2d(6, 8, 3, 2, 1)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(8, 4)

    def forward(self, pixels):
        return self.fc(torch.tanh(self.relu(self.conv2(torch.tanh(self.conv1(pixels))))).mean((2, 3)))


class OfClips(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv3d(3, 5, 3, (1, 2, 2), 1), nn.Conv3d(5, 7, 3, 2, 1)
        self.fc = nn.Linear(7, 4)

    def forward(self, pixels):
        return self.fc(torch.tanh(self.conv2(torch.tanh(self.conv1(pixels)))).mean((2, 3, 4)) ** 2)


def described(module, **more):
    torch.manual_seed(1)
    spec = InputSpec(size_px=(32, 32), resize_px=32, mean=(0.5,) * 3, std=(0.5,) * 3, **more)
    return describe(module, Description(name="made", source="made", input=spec, classifier=True), ModelRequest("made"))


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
@pytest.mark.parametrize(("build", "more"), [(OfPictures, {}), (OfClips, {"clip_frames": 8})])
def test_grad_cam_is_relu_of_the_maps_weighted_by_their_mean_gradients(layer, build, more):
    pytest.importorskip("pytorch_grad_cam")
    from visfeat.show.torch_gradcam import grad_cam

    torch.manual_seed(0)
    model = described(build(), **more)
    shape = (1, 3, 8, 32, 32) if more else (1, 3, 32, 32)
    pixels = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    name, found = grad_cam(model, pixels, 2, layer)
    kept = []
    handle = model.module.get_submodule(layer).register_forward_hook(lambda _, __, output: kept.append(output))
    score = model.module(torch.from_numpy(pixels).requires_grad_())[0, 2]
    handle.remove()
    (gradient,) = torch.autograd.grad(score, kept)
    maps, slopes = kept[0][0].detach().numpy().astype(float), gradient[0].numpy().astype(float)
    expected = np.zeros(maps.shape[1:])
    for channel, slope in zip(maps, slopes, strict=True):
        expected += slope.mean() * channel
    expected = np.maximum(expected, 0)
    assert name == layer
    assert found.max() > 0
    assert found.shape == (expected.shape if more else (1, *expected.shape))
    assert np.abs(found - expected).max() < 1e-6 * max(1.0, expected.max())


def test_the_layer_is_the_last_one_whose_places_matter(picture, video):
    pytest.importorskip("pytorch_grad_cam")
    found = class_map(picture, 1, model="own_nets:classifier", method="gradcam")
    assert found.how == "Grad-CAM of layer 1"  # the ReLU after the convolution
    of_tokens = class_map(picture, model="timm/test_vit", weights="random:0", at_s=None)
    assert of_tokens.how.endswith(".norm1")
    assert of_tokens.heat.max() > 0
    of_clip = class_map(video, 0, model="own_nets:of_clips", method="gradcam")
    assert len(of_clip.look.pixels) == of_clip.look.pictures.shape[0] > 1
    assert of_clip.heat.ndim == 3
    with pytest.raises(UsageError, match="is no map"):
        class_map(picture, model="own_nets:classifier", layer="4")


def test_scaling_up_is_torchs_linear_interpolation():
    values = np.random.default_rng(0).random((2, 5, 7)).astype(np.float32)
    expected = nn.functional.interpolate(torch.from_numpy(values)[None, None], (8, 33, 28), mode="trilinear")
    assert np.abs(scaled_up(values, (8, 33, 28)) - expected[0, 0].numpy()).max() < 1e-5


def test_filters_of_modules_are_their_weights():
    module = load_model("own_nets:of_clips", weights="random:3").module
    found = filters("own_nets:of_clips", weights="random:3")
    assert (found.layer, found.values.shape) == ("0", (8, 3, 3, 3, 3))
    assert np.array_equal(found.values, module[0].weight.detach().numpy())
    with pytest.raises(UnknownLayer, match="the first ones: 0"):
        filters("own_nets:of_clips", "4")


def test_maps_of_a_transformer_are_its_patches(picture):
    _, layers = feature_maps(picture, model="timm/test_vit", weights="random:0")
    assert all(maps.layer.startswith("blocks.") for maps in layers)
    assert {maps.values.shape[1:] for maps in layers} == {(1, 10, 10)}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that has seen a few digits, and one of these."""
    pytest.importorskip("pytorch_lightning")
    from visfeat.train.run import train

    data = digit_pictures(tmp_path_factory.mktemp("digits"))
    out = tmp_path_factory.mktemp("runs") / "digits"
    train(Settings(data=(str(data),), out=str(out), model="cnn", size=8, epochs=1, logger=("csv",)))
    return out, next(data.rglob("*.png"))


def test_a_run_shows_what_it_learned_with_torch_and_without(run):
    pytest.importorskip("pytorch_grad_cam")
    folder, digit = run
    weights = load_file(folder / "model.safetensors")
    assert np.abs(filters(str(folder)).values[:, :, 0] - weights["conv1.weight"].numpy()).max() < 1e-6
    hidden = class_map(digit, "2", model=str(folder))
    assert hidden.how.startswith("occlusion")
    found = class_map(digit, "2", model=str(folder), method="gradcam")
    assert found.asked.name == hidden.asked.name == "digit2"
    assert found.asked.probability == pytest.approx(hidden.asked.probability, abs=1e-4)
    assert found.heat.max() > 0
