"""The zoos: names, inputs as their own transforms have them, sizes, and class names."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from timm.data import create_transform, resolve_model_data_config

from visfeat.errors import UnknownModel, UsageError
from visfeat.models.registry import load_model, model_names
from visfeat.models.source import ModelRequest
from visfeat.models.timm import TimmModels
from visfeat.models.torchvision import TorchvisionModels
from visfeat.testing import ModelSourceSuite


def load(model, size_px=None):
    return load_model(model, weights="random:0", size_px=size_px)


class TestTimm(ModelSourceSuite):
    model = "test_vit"
    weights = "random:0"

    def source(self):
        return TimmModels()


class TestTorchvision(ModelSourceSuite):
    model = "squeezenet1_1"
    weights = "random:0"

    def source(self):
        return TorchvisionModels()


def transforms_of(name):
    steps = create_transform(**resolve_model_data_config(timm.create_model(name)), is_training=False).transforms
    by_kind = {type(step).__name__: step for step in steps}
    return by_kind["Resize"], by_kind["CenterCrop"], by_kind["Normalize"]


@pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0", "vit_tiny_patch16_224", "test_convnext"])
def test_input_is_that_of_timms_transform(name):
    spec = load(f"timm/{name}").card.input
    resize, crop, normalize = transforms_of(name)
    assert spec.resize_px == resize.size
    assert spec.size_px == tuple(crop.size)
    assert spec.interpolation == resize.interpolation.value
    torch.testing.assert_close(torch.tensor([spec.mean, spec.std]), torch.stack([normalize.mean, normalize.std]))


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "mobilenet_v3_small"])
def test_input_is_that_of_torchvisions_transform(name):
    spec = load(f"torchvision/{name}").card.input
    transform = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    assert [spec.resize_px] == transform.resize_size
    assert spec.size_px == (transform.crop_size[0], transform.crop_size[0])
    assert spec.interpolation == transform.interpolation.value
    assert [list(spec.mean), list(spec.std)] == [transform.mean, transform.std]


def test_names_and_licence_of_a_thousand_classes():
    for model, first in [("timm/resnet18", "tench, Tinca tinca"), ("torchvision/resnet18", "tench")]:
        card = load(model).card
        assert len(card.class_names) == 1000
        assert card.class_names[0] == first
        assert card.license
        assert card.name == model
        assert card.versions["torch"] == torch.__version__.partition("+")[0]


def test_random_weights_are_timms_own_under_that_seed():
    torch.manual_seed(0)
    expected = timm.create_model("resnet18").state_dict()
    own = load("timm/resnet18").module.state_dict()
    assert all(torch.equal(own[name], value) for name, value in expected.items())


def test_a_vision_transformer_takes_other_sizes_by_interpolation():
    model = load("timm/test_vit", 96)
    own = load("timm/test_vit")
    patch = model.module.patch_embed.patch_size[0]
    assert model.card.input.size_px == (96, 96)
    assert model.card.layer("blocks.0").shape[0] == (96 // patch) ** 2 + 1
    assert model.module.pos_embed.shape != own.module.pos_embed.shape
    torch.testing.assert_close(model.module.pos_embed[:, 0], own.module.pos_embed[:, 0])
    with pytest.raises(UsageError, match=rf"--size 100: timm/test_vit takes multiples of {patch} pixels, 96 or"):
        load("timm/test_vit", 100)


def test_torchvisions_transformer_takes_other_sizes_too():
    model = load("torchvision/vit_b_32", 96)
    assert model.card.layer("encoder.ln").shape == (10, 768)
    with pytest.raises(UsageError, match="multiples of 32"):
        load("torchvision/vit_b_32", 100)


def test_convolutions_take_any_size_and_the_crop_follows():
    assert load("timm/resnet18", 160).card.input.resize_px == int(160 / 0.95)
    assert load("torchvision/resnet18", 112).card.input.resize_px == 128
    assert load("timm/resnet18", 90).card.layer("layer4").shape == (512, 3, 3)


def test_an_impossible_size_is_said_so():
    with pytest.raises(UsageError, match="--size 20: torchvision/alexnet does not take it"):
        load("torchvision/alexnet", 20)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("timm/resnt18", "no model timm/resnt18; did you mean resnet18"),
        ("timm/resnet18.a9_in1k", "no weights timm/resnet18.a9_in1k .there are resnet18.a1_in1k"),
        ("torchvision/resnt18", "no model torchvision/resnt18; did you mean resnet18"),
        ("open_clip/ViT-B-23", "no model open_clip/ViT-B-23; did you mean ViT-B-32"),
    ],
)
def test_unknown_names_get_the_nearest(model, message):
    with pytest.raises(UnknownModel, match=message):
        load(model)


def test_a_tag_of_the_weights_is_taken():
    tagged = TimmModels().load(ModelRequest("resnet18.tv_in1k", "random:0")).card
    assert tagged.name == "timm/resnet18.tv_in1k"
    assert tagged.input.interpolation == "bilinear"


def test_names_of_all_sources():
    names = model_names("resnet50")
    assert names == ["timm/resnet50", "torchvision/resnet50"]
    assert "open_clip/ViT-B-32" in model_names("open_clip/*")
