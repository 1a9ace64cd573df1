"""ONNX files as torch exports them, beside the module they came from."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import timm
import torch

from visfeat.engine.pack import run
from visfeat.errors import ModelError
from visfeat.models.registry import load_model

pytest.importorskip("onnx")


def export(module, path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, torch.zeros(1, 3, 64, 64), path, dynamo=False, input_names=["x"], **options)
    return str(path)


FREE_BATCH = {"dynamic_axes": {"x": {0: "n"}}}
FREE_SIZE = {"dynamic_axes": {"x": {0: "n", 2: "h", 3: "w"}}}


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [("resnet18", {}, None), ("resnet18", FREE_SIZE, 96), ("test_vit", FREE_BATCH, None)],
)
def test_embedding_and_logits_are_the_modules(tmp_path, name, options, size):
    torch.manual_seed(0)
    module = timm.create_model(name, **({"img_size": 64} if "vit" in name else {})).eval()
    packed = load_model(export(module, tmp_path / "net.onnx", **options), size_px=size)
    side = size or 64
    assert packed.card.input.size_px == (side, side)
    pixels = torch.randn(3, 3, side, side)
    found = run(packed, pixels.numpy())
    with torch.no_grad():
        embedding = module.forward_head(module.forward_features(pixels), pre_logits=True).numpy()
        logits = module(pixels).numpy()
    np.testing.assert_allclose(found[packed.card.default_layer], embedding, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found[packed.card.logits_layer], logits, rtol=1e-3, atol=1e-5)


def test_names_are_the_files_and_the_same_each_time(tmp_path):
    path = export(timm.create_model("resnet18").eval(), tmp_path / "net.onnx")
    card = load_model(path).card
    assert card.layer("/layer3/layer3.1/act2/Relu").shape == (256, 4, 4)
    assert load_model(path).card == card


def test_a_batch_frozen_into_the_graph_is_said_so(tmp_path):
    path = export(timm.create_model("test_vit", img_size=64).eval(), tmp_path / "net.onnx")
    with pytest.raises(ModelError, match="batch axis is fixed inside the graph; export it with a free batch axis"):
        load_model(path)
