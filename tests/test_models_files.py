"""Models from files without torch: packed ones, and graphs that others made, with and without a card."""

from __future__ import annotations

import numpy as np
import pytest
from openvino import opset13 as ops

from test_packed import a_packed_model
from visfeat.engine.network import NetworkOptions
from visfeat.engine.openvino import OpenvinoEngine
from visfeat.errors import ModelError, UnknownLayer, UnknownModel, UsageError
from visfeat.models.openvino_runtime import ov
from visfeat.models.registry import load_model, source_of

RNG = np.random.default_rng(0)
KERNEL = RNG.standard_normal((8, 3, 3, 3)).astype(np.float32)
HEAD = RNG.standard_normal((5, 8)).astype(np.float32)


def write_graph(path, *, shape=(-1, 3, 32, 32), layout="NCHW", inputs=1, first_only=False, softmax=False):
    """Convolution "conv", its ReLU "act", mean "pool", then a linear layer "fc" of five classes."""
    pixels = ops.parameter(ov.PartialShape(list(shape)), np.float32, name="x")
    first = pixels if layout == "NCHW" else ops.transpose(pixels, np.array([0, 3, 1, 2]))
    conv = ops.convolution(first, KERNEL, [2, 2], [1, 1], [1, 1], [1, 1], name="conv")
    act = ops.relu(conv, name="act")
    mean = ops.reduce_mean(act, np.array([2, 3]), keep_dims=False, name="pool")
    if first_only:
        mean = ops.gather(mean, np.array([0]), np.array(0))
    pool = ops.reshape(mean, np.array((0, -1)), special_zero=True, name="flat")
    out = ops.matmul(pool, HEAD, False, True, name="fc")
    if softmax:
        out = ops.softmax(out, 1, name="probabilities")
    extra = [ops.parameter(ov.PartialShape([-1, 3]), np.float32, name=f"extra{i}") for i in range(inputs - 1)]
    ov.save_model(ov.Model([out], [pixels, *extra], "net"), path, compress_to_fp16=False)
    return path


def run(packed, layers, size=32):
    pixels = np.random.default_rng(1).integers(0, 256, (2, 1, size, size, 3), dtype=np.uint8)
    options = NetworkOptions(layers=layers, input=packed.card.input, batch_size=2)
    ((_, outputs),) = OpenvinoEngine().compile(packed, options).stream([(0, pixels)])
    return outputs, pixels[:, 0]


@pytest.mark.parametrize("changes", [{}, {"shape": (1, 3, 32, 32)}, {"shape": (1, 32, 32, 3), "layout": "NHWC"}])
def test_a_graph_runs_in_batches_with_its_own_names(tmp_path, changes):
    packed = load_model(str(write_graph(tmp_path / "net.xml", **changes)))
    card = packed.card
    assert card.input.size_px == (32, 32)
    assert card.layer("act").shape == (8, 16, 16)
    assert card.layer("act").kind == "map"
    assert (card.default_layer, card.logits_layer) == ("flat", "fc")
    outputs, pixels = run(packed, ("act", "pool", "flat", "fc"))
    x = (pixels / 255 - np.array(card.input.mean)) / np.array(card.input.std)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    # The first position of the convolution, by hand.
    first = np.einsum("nhwc,ochw->no", padded[:, :3, :3], KERNEL)
    np.testing.assert_allclose(outputs["act"][:, :, 0, 0], np.maximum(first, 0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(outputs["act"].mean((2, 3)), outputs["flat"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs["flat"] @ HEAD.T, outputs["fc"], rtol=1e-4, atol=1e-4)


def test_the_logits_are_those_before_a_softmax(tmp_path):
    card = load_model(str(write_graph(tmp_path / "net.xml", softmax=True))).card
    assert (card.default_layer, card.logits_layer) == ("flat", "fc")


def test_a_free_size_is_224_or_what_is_asked_for(tmp_path):
    path = str(write_graph(tmp_path / "net.xml", shape=(-1, 3, -1, -1)))
    card = load_model(path).card
    assert (card.input.size_px, card.input.resize_px) == ((224, 224), 256)
    assert load_model(path, size_px=48).card.layer("act").shape == (8, 24, 24)


def test_the_card_beside_it_says_the_rest(tmp_path):
    path = write_graph(tmp_path / "net.xml")
    (tmp_path / "net.toml").write_text(
        'license = "MIT"\ndefault_layer = "act"\nclass_names = ["a", "b", "c", "d", "e"]\n'
        '[input]\nmean = [0.5, 0.5, 0.5]\nstd = [0.25, 0.25, 0.25]\nresize_px = 40\ninterpolation = "bilinear"\n'
    )
    card = load_model(str(path)).card
    assert (card.license, card.default_layer, len(card.class_names)) == ("MIT", "act", 5)
    assert (card.input.resize_px, card.input.interpolation, card.input.mean) == (40, "bilinear", (0.5, 0.5, 0.5))
    assert card.input.size_px == (32, 32)


@pytest.mark.parametrize(
    ("toml", "error", "message"),
    [
        ("license = ", ModelError, "net.toml: the card cannot be read"),
        ("licence = 'MIT'", ModelError, "net.toml: the card's licence"),
        ("[input]\ninterpolation = 'cubic'", ModelError, "net.toml: the card's interpolation"),
        ("default_layer = 'acr'", UnknownLayer, "no layer 'acr'; did you mean act"),
        ("[input]\nsize_px = [64, 64]", UsageError, "takes pictures of 32 x 32 pixels, not 64 x 64"),
    ],
)
def test_a_wrong_card_is_said_with_its_field(tmp_path, toml, error, message):
    path = write_graph(tmp_path / "net.xml")
    (tmp_path / "net.toml").write_text(toml)
    with pytest.raises(error, match=message):
        load_model(str(path))


def test_the_digest_follows_the_weights(tmp_path):
    path = write_graph(tmp_path / "net.xml")
    before = load_model(str(path)).card.weights_digest
    weights = bytearray((tmp_path / "net.bin").read_bytes())
    weights[40] ^= 1
    (tmp_path / "net.bin").write_bytes(weights)
    assert load_model(str(path)).card.weights_digest != before


def test_graphs_that_will_not_do_are_said_so(tmp_path):
    with pytest.raises(ModelError, match="has 2 inputs"):
        load_model(str(write_graph(tmp_path / "two.xml", inputs=2)))
    with pytest.raises(ModelError, match="batch axis is fixed inside the graph"):
        load_model(str(write_graph(tmp_path / "one.xml", first_only=True)))
    with pytest.raises(UsageError, match="takes pictures of 32 x 32 pixels, not 64 x 64"):
        load_model(str(write_graph(tmp_path / "size.xml")), size_px=64)
    with pytest.raises(UsageError, match="packed with its weights"):
        load_model(str(tmp_path / "size.xml"), weights="random:0")


@pytest.mark.parametrize("name", ["net.onnx", "net.xml"])
def test_what_is_no_graph_is_said_so(tmp_path, name):
    with pytest.raises(ModelError, match="no such file"):
        load_model(str(tmp_path / name))
    (tmp_path / name).write_text("<html>not found</html>")
    with pytest.raises(ModelError, match=f"{name}: OpenVINO cannot read it"):
        load_model(str(tmp_path / name))


def test_a_packed_file_is_of_one_size(tmp_path):
    path = str(tmp_path / "m.vfmodel")
    a_packed_model().save(path)
    assert load_model(path) == a_packed_model()
    assert load_model(path, size_px=64) == a_packed_model()
    with pytest.raises(UsageError, match="packed for 64 x 64 pixels; pack it anew: visfeat pack timm/some --size 96"):
        load_model(path, size_px=96)


def test_a_run_of_nearly_that_name_is_offered(tmp_path, monkeypatch):
    (tmp_path / "runs/birds-cnn").mkdir(parents=True)
    (tmp_path / "runs/birds-cnn/model.toml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownModel, match="no model 'runs/birds'; did you mean runs/birds-cnn"):
        source_of("runs/birds")
