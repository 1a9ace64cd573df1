"""The whole path beside the loop that one writes by hand with timm or torchvision, on the same files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from timm.data import create_transform, resolve_model_data_config

import visfeat as vf
from media_made import encoded, photo

SEED = 3


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[Path]:
    """Pictures upright and oblong, larger and smaller than the input, in three formats."""
    folder = tmp_path_factory.mktemp("photos")
    paths = []
    for seed, (height, width) in enumerate([(480, 640), (333, 500), (200, 180), (900, 610)]):
        for ending, name in (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")):
            path = folder / f"{seed}.{ending}"
            path.write_bytes(encoded(photo(height, width, seed=seed), name))
            paths.append(path)
    return paths


def by_hand(module: torch.nn.Module, layer: str, transform, paths: list[Path]) -> np.ndarray:
    """The loop that everybody writes: a hook, a transform, one picture after the other."""
    kept = []
    hook = module.get_submodule(layer).register_forward_hook(lambda _m, _i, output: kept.append(output.clone()))
    with torch.inference_mode():
        for path in paths:
            module(transform(Image.open(path).convert("RGB"))[None])
    hook.remove()
    return torch.cat(kept).numpy()


def least_cosine(one: np.ndarray, other: np.ndarray) -> float:
    a, b = (each.reshape(len(each), -1).astype(np.float64) for each in (one, other))
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "mobilenetv4_conv_small"])
def test_timm(photos, name):
    torch.manual_seed(SEED)
    module = timm.create_model(name).eval()
    transform = create_transform(**resolve_model_data_config(module), is_training=False)
    reference = vf.Extractor(f"timm/{name}", weights=f"random:{SEED}", preprocess="reference")
    with torch.inference_mode():
        expected = torch.cat(
            [
                module.forward_head(
                    module.forward_features(transform(Image.open(path).convert("RGB"))[None]), pre_logits=True
                )
                for path in photos
            ]
        ).numpy()
    found = reference(photos)
    assert found.shape == expected.shape
    assert least_cosine(found, expected) >= 0.99999
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
    fast = vf.Extractor(f"timm/{name}", weights=f"random:{SEED}")
    assert least_cosine(fast(photos), expected) >= 0.9999


@pytest.mark.parametrize(
    ("name", "layers"), [("resnet18", ["layer1.0.relu#1", "layer3", "avgpool"]), ("mobilenet_v3_small", ["features.4"])]
)
def test_torchvision_layers(photos, name, layers):
    torch.manual_seed(SEED)
    module = torchvision.models.get_model(name, weights=None).eval()
    for part in module.modules():
        if hasattr(part, "inplace"):
            part.inplace = False
    transform = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    ex = vf.Extractor(
        f"torchvision/{name}", weights=f"random:{SEED}", preprocess="reference", layers=layers, pool="none"
    )
    found = ex(photos) if len(layers) > 1 else {layers[0]: ex(photos)}
    for layer in layers:
        path, _, call = layer.partition("#")
        expected = by_hand(module, path, transform, photos)
        if call:
            expected = expected.reshape(len(photos), -1, *expected.shape[1:])[:, int(call)]
        assert least_cosine(found[layer], expected) >= 0.99999


def test_torch_and_openvino_agree(photos):
    options = {"weights": f"random:{SEED}", "layers": ["layer2", "global_pool"], "device": "cpu"}
    packed = vf.Extractor("timm/resnet18", engine="openvino", **options)(photos)
    module = vf.Extractor("timm/resnet18", engine="torch", **options)(photos)
    for layer in ("layer2", "global_pool"):
        assert least_cosine(packed[layer], module[layer]) >= 0.999999
