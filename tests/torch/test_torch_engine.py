"""The torch engine: the suite of all engines, and the module's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from visfeat.engine.network import NetworkOptions
from visfeat.engine.torch import TorchEngine
from visfeat.errors import EngineError, OutOfMemory, UsageError
from visfeat.models.bundled import BundledModels
from visfeat.models.registry import load_model
from visfeat.models.source import ModelRequest, ModuleModel
from visfeat.testing import EngineSuite

LAYERS = ("layer2", "global_pool")


@pytest.fixture(scope="module")
def resnet() -> ModuleModel:
    return load_model("timm/resnet18", weights="random:0", size_px=64)


def options(model, **changed):
    return NetworkOptions(**({"layers": LAYERS, "input": model.card.input, "batch_size": 4} | changed))


def some_pixels(n=4, size=64):
    return np.random.default_rng(0).integers(0, 256, (n, 1, size, size, 3), dtype=np.uint8)


class TestTorchEngine(EngineSuite):
    layers = LAYERS

    def engine(self):
        return TorchEngine()

    def model(self):
        return load_model("timm/resnet18", weights="random:0", size_px=64)


def test_outputs_equal_the_module_on_normalized_pixels(resnet):
    pixels = some_pixels()
    network = TorchEngine().compile(resnet, options(resnet, layers=("fc", "layer1.0.bn1")))
    ((_, outputs),) = network.stream([(0, pixels)])
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (resnet.card.input.mean, resnet.card.input.std))
    inputs = (torch.from_numpy(pixels[:, 0]).permute(0, 3, 1, 2) / 255 - mean) / std
    with torch.no_grad():
        expected = resnet.module(inputs).numpy()
        stem = resnet.module.maxpool(resnet.module.act1(resnet.module.bn1(resnet.module.conv1(inputs))))
        bn1 = resnet.module.layer1[0].bn1(resnet.module.layer1[0].conv1(stem)).numpy()
    np.testing.assert_allclose(outputs["fc"], expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(outputs["layer1.0.bn1"], bn1, rtol=1e-4, atol=1e-5 * np.abs(bn1).max())


def test_reduced_precision_is_near_and_said(resnet):
    exact = TorchEngine().compile(resnet, options(resnet))
    rough = TorchEngine().compile(resnet, options(resnet, precision="bf16"))
    assert rough.facts["precision"] == "bf16"
    pixels = some_pixels()
    ((_, a),) = exact.stream([(0, pixels)])
    ((_, b),) = rough.stream([(0, pixels)])
    x, y = a["global_pool"], b["global_pool"]
    assert y.dtype == np.float32
    assert not np.array_equal(x, y)
    cosines = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    assert cosines.min() > 0.99


def test_a_batch_of_another_size_is_refused(resnet):
    network = TorchEngine().compile(resnet, options(resnet))
    with pytest.raises(EngineError, match=r"\(4, T, H, W, C\); got uint8 \(3, 1, 64, 64, 3\)"):
        list(network.stream([(0, some_pixels(3))]))


@pytest.mark.parametrize("device", ["cuda:99", "intel-gpu"])
def test_a_device_that_is_not_there_is_said_so(resnet, device):
    with pytest.raises(UsageError, match=device):
        TorchEngine().compile(resnet, options(resnet, device=device))


def test_a_packed_model_is_refused():
    packed = BundledModels().load(ModelRequest("efficientnet_lite0"))
    with pytest.raises(EngineError, match="packed model"):
        TorchEngine().compile(packed, options(packed))


class Full(torch.nn.Module):
    """Runs out of memory on batches of more than two pictures, as a device would."""

    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(3, 2)

    def forward(self, x):
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.fc(x.mean((2, 3)))


def test_running_out_of_memory_names_the_batch_size(resnet):
    from visfeat.models.describe import Description, describe

    known = Description("own", "own", resnet.card.input, classifier=True)
    model = describe(Full(), known, ModelRequest("own"))
    network = TorchEngine().compile(model, options(model, layers=("fc",)))
    with pytest.raises(OutOfMemory, match="--batch-size 2") as error:
        list(network.stream([(0, some_pixels())]))
    assert error.value.batch_size == 4
