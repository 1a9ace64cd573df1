"""The dry run: which layers there are, which is the embedding, and whose values a tap gives."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import nn

from visfeat.errors import ModelError
from visfeat.models.survey import survey
from visfeat.models.taps import TappedModule


def look(module, size_px=64, *, classifier=True, **known):
    return survey(module.eval(), (size_px, size_px), classifier=classifier, **known)


def tap(module, names, pixels, size_px=64):
    seen = {spec.name: spec for spec in look(module, size_px).layers}
    with torch.inference_mode():
        return dict(zip(names, TappedModule(module, [seen[name] for name in names])(pixels), strict=True))


# Architecture, its size here, default layer, its pooling and shape, and the layer of the logits.
TIMM = [
    ("resnet18", 64, "global_pool", None, (512,), "fc"),
    ("resnet50", 64, "global_pool", None, (2048,), "fc"),
    ("convnext_tiny", 64, "head.flatten", None, (768,), "head"),
    ("mobilenetv4_conv_small", 64, "flatten", None, (1280,), "classifier"),
    ("vit_tiny_patch16_224", 224, "fc_norm", None, (192,), "head"),
    pytest.param("vit_small_patch16_224", 224, "fc_norm", None, (384,), "head", marks=pytest.mark.slow),
    ("swin_tiny_patch4_window7_224", 224, "head.global_pool", None, (768,), "head"),
    pytest.param("efficientnet_b0", 64, "global_pool", None, (1280,), "classifier", marks=pytest.mark.slow),
    ("tf_efficientnet_lite0", 64, "global_pool", None, (1280,), "classifier"),
    pytest.param("densenet121", 64, "global_pool", None, (1024,), "classifier", marks=pytest.mark.slow),
    pytest.param("vgg11", 224, "pre_logits", None, (4096, 1, 1), "head", marks=pytest.mark.slow),
    pytest.param("deit_tiny_distilled_patch16_224", 224, "head_drop#0", None, (192,), "output", marks=pytest.mark.slow),
]
TORCHVISION = [
    ("resnet18", 64, "avgpool", None, (512, 1, 1), "fc"),
    ("vit_b_16", 224, "encoder.ln", "cls", (197, 768), "heads"),
    ("swin_t", 64, "flatten", None, (768,), "head"),
    pytest.param("convnext_tiny", 64, "classifier.1", None, (768,), "classifier", marks=pytest.mark.slow),
    ("squeezenet1_1", 64, "features", None, (512, 3, 3), "classifier"),
    pytest.param("efficientnet_b0", 64, "avgpool", None, (1280, 1, 1), "classifier", marks=pytest.mark.slow),
    ("mobilenet_v3_small", 64, "classifier.1", None, (1024,), "classifier"),
    ("densenet121", 64, "classifier:input", None, (1024,), "classifier"),
]


@pytest.mark.parametrize(("name", "size", "layer", "pool", "shape", "logits"), TIMM)
def test_embedding_of_timm(name, size, layer, pool, shape, logits):
    torch.manual_seed(0)
    seen = look(timm.create_model(name), size)
    assert (seen.default_layer, seen.default_pool, seen.logits_layer) == (layer, pool, logits)
    assert {spec.name: spec.shape for spec in seen.layers}[layer] == shape


@pytest.mark.parametrize(("name", "size", "layer", "pool", "shape", "logits"), TORCHVISION)
def test_embedding_of_torchvision(name, size, layer, pool, shape, logits):
    torch.manual_seed(0)
    seen = look(torchvision.models.get_model(name, weights=None), size)
    assert (seen.default_layer, seen.default_pool, seen.logits_layer) == (layer, pool, logits)
    assert {spec.name: spec.shape for spec in seen.layers}[layer] == shape


def test_without_a_classifier_the_output_is_the_embedding():
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=0)
    seen = look(vit, 224, classifier=False)
    assert (seen.default_layer, seen.logits_layer) == ("fc_norm", None)


def test_a_pooled_input_without_a_module_is_the_classifiers_input():
    torch.manual_seed(0)
    densenet = torchvision.models.densenet121(weights=None).eval()
    pixels = torch.randn(2, 3, 64, 64)
    values = tap(densenet, ["classifier:input", "classifier"], pixels)
    with torch.inference_mode():
        torch.testing.assert_close(densenet.classifier(values["classifier:input"]), values["classifier"])


def test_a_module_called_several_times_has_several_layers():
    torch.manual_seed(0)
    resnet = torchvision.models.resnet18(weights=None).eval()
    names = [spec.name for spec in look(resnet).layers]
    assert "layer1.0.relu" not in names
    values = tap(resnet, ["layer1.0.relu#0", "layer1.0.relu#1", "layer1.0", "layer1.0.bn1"], torch.randn(2, 3, 64, 64))
    torch.testing.assert_close(values["layer1.0.relu#0"], values["layer1.0.bn1"].relu())
    torch.testing.assert_close(values["layer1.0.relu#1"], values["layer1.0"], rtol=0, atol=0)


def test_layers_keep_their_own_values():
    """An activation in place, and ``out += identity``, overwrite the layer before them where nothing prevents it."""
    torch.manual_seed(0)
    resnet = torchvision.models.resnet18(weights=None).eval()
    pixels = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        stem = resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(pixels.clone()))))
        block = resnet.layer1[0]
        bn1 = block.bn1(block.conv1(stem))
        bn2 = block.bn2(block.conv2(bn1.relu()))
    values = tap(resnet, ["layer1.0.bn1", "layer1.0.bn2"], pixels)
    assert (values["layer1.0.bn1"] < 0).any()
    torch.testing.assert_close(values["layer1.0.bn1"], bn1)
    torch.testing.assert_close(values["layer1.0.bn2"], bn2)


def test_tokens_maps_and_windows_are_told_apart():
    vit = {spec.name: spec for spec in look(timm.create_model("vit_tiny_patch16_224"), 224).layers}
    assert (vit["patch_embed"].kind, vit["patch_embed"].prefix_tokens) == ("tokens", 0)
    assert (vit["blocks.5"].kind, vit["blocks.5"].shape, vit["blocks.5"].prefix_tokens) == ("tokens", (197, 192), 1)
    swin = {spec.name: spec for spec in look(timm.create_model("swin_tiny_patch4_window7_224"), 224).layers}
    assert (swin["layers.1"].shape, swin["layers.1"].channels_last) == ((28, 28, 192), True)
    assert (swin["layers.0.blocks.0.attn.qkv"].shape, swin["layers.0.blocks.0.attn.qkv"].kind) == (
        (64, 49, 288),
        "other",
    )
    convnext = {spec.name: spec for spec in look(timm.create_model("convnext_tiny")).layers}
    assert not convnext["stages.1"].channels_last
    assert convnext["stages.1.blocks.0.mlp.fc1"].channels_last


class Odd(nn.Module):
    """Returns tuples, calls an LSTM and attention, never calls one part, and has a layer that mixes the images."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 16, 16)
        self.lstm = nn.LSTM(8, 8, batch_first=True)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.unused = nn.Linear(8, 8)
        self.mix = nn.Identity()
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        tokens = self.stem(x).flatten(2).transpose(1, 2)
        tokens, _ = self.lstm(tokens)
        tokens, _ = self.attention(tokens, tokens, tokens)
        self.mix(tokens - tokens.mean(0))
        return {"logits": self.head(tokens.mean(1)), "more": tokens}


def test_odd_modules():
    torch.manual_seed(0)
    seen = look(Odd())
    assert [spec.name for spec in seen.layers] == ["stem", "lstm", "attention", "head", "head:input"]
    assert (seen.default_layer, seen.logits_layer) == ("head:input", "head")


class Nothing(nn.Module):
    def forward(self, x):
        return x.argmax(1)


def test_a_module_without_floats_is_refused():
    with pytest.raises(ModelError, match="Nothing: its output is not one tensor of floats"):
        look(Nothing())


def test_hooks_leave_the_module_as_it_was():
    resnet = timm.create_model("resnet18").eval()
    look(resnet)
    assert not any(part._forward_hooks for part in resnet.modules())
