"""The bundled model: real weights that know a cat from a cup, at any size, without torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from visfeat.engine.network import NetworkOptions
from visfeat.engine.openvino import OpenvinoEngine
from visfeat.errors import UnknownModel, UsageError
from visfeat.models.bundled import BundledModels
from visfeat.models.source import ModelRequest

NAME = "efficientnet_lite0"


def load(**request):
    return BundledModels().load(ModelRequest(NAME, **request))


def run(packed, pixels, *layers):
    options = NetworkOptions(layers=layers, input=packed.card.input, batch_size=len(pixels))
    ((_, outputs),) = OpenvinoEngine().compile(packed, options).stream([(0, pixels[:, None])])
    return outputs


def center(picture: Image.Image, resize_px: int, size_px: int) -> np.ndarray:
    """Short side to resize_px, the center cut out: written down here once more, on purpose."""
    scale = resize_px / min(picture.size)
    picture = picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BICUBIC)
    left, top = ((side - size_px) // 2 for side in picture.size)
    return np.asarray(picture.crop((left, top, left + size_px, top + size_px)))


@pytest.mark.parametrize("size_px", [224, 160])
def test_photographs_get_the_right_names(size_px):
    data = pytest.importorskip("skimage.data")
    packed = load(size_px=size_px)
    photos = {
        "cat": {"tabby, tabby cat", "tiger cat", "Egyptian cat"},
        "coffee": {"espresso", "cup", "coffee mug"},
        "rocket": {"missile", "projectile, missile", "space shuttle"},
    }
    pixels = [center(Image.fromarray(getattr(data, name)()), packed.card.input.resize_px, size_px) for name in photos]
    logits = run(packed, np.stack(pixels), "classifier")["classifier"]
    for row, right in zip(logits, photos.values(), strict=True):
        assert packed.card.class_names[int(row.argmax())] in right


def test_the_default_layer_is_what_the_classifier_reads():
    packed = load()
    assert packed.card.default_layer == "global_pool"
    assert packed.card.layer("global_pool").shape == (1280,)
    assert packed.card.logits_layer == "classifier"
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    outputs = run(packed, pixels, "bn2", "global_pool")
    np.testing.assert_allclose(outputs["bn2"].mean((2, 3)), outputs["global_pool"], rtol=1e-4, atol=1e-5)


def test_every_block_is_a_layer():
    names = {spec.name for spec in load().card.layers}
    blocks = [1, 2, 2, 3, 3, 4, 1]
    assert {f"blocks.{stage}.{block}" for stage, count in enumerate(blocks) for block in range(count)} <= names
    assert {"conv_stem", "blocks.6", "conv_head"} <= names


def test_another_size_changes_the_shapes_and_keeps_the_crop():
    card = load(size_px=320).card
    assert card.input.size_px == (320, 320)
    assert card.input.resize_px == 365  # floor(320 / 0.875)
    assert card.layer("blocks.3").shape == (80, 20, 20)
    assert card.layer("global_pool").shape == (1280,)
    assert load(size_px=224) == load()


def test_what_it_cannot_do_is_said():
    with pytest.raises(UsageError, match="--size 16"):
        load(size_px=16)
    with pytest.raises(UsageError, match="packed with its weights; --weights random:0"):
        load(weights="random:0")
    with pytest.raises(UnknownModel, match="efficientnet_lite; did you mean efficientnet_lite0"):
        BundledModels().load(ModelRequest("efficientnet_lite"))


def test_it_needs_no_torch_and_reports_to_nobody():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from visfeat.models.registry import load_model\n"
        "load_model('bundled/efficientnet_lite0', size_px=128)\n"
        "assert 'openvino' in sys.modules and sys.modules.get('openvino_telemetry') is None\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
