"""What speaks for a class, without gradients: occlusion against its formula; classes by name; heat over pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from media_made import photo
from visfeat.class_groups import probabilities
from visfeat.cli.main import main
from visfeat.errors import UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.models.bundled import BundledModels
from visfeat.models.source import ModelRequest
from visfeat.show.attention import rollout
from visfeat.show.cam import class_map
from visfeat.show.cam_figure import draw_class_map
from visfeat.show.classes import asked_class
from visfeat.show.heat import heated, scaled_up
from visfeat.show.occlusion import Raster, occlusion

pytest.importorskip("matplotlib")
BUNDLED = "bundled/efficientnet_lite0"


@pytest.fixture(scope="module")
def card():
    return BundledModels().load(ModelRequest("efficientnet_lite0")).card


def test_occlusion_is_the_mean_drop_of_the_squares_over_a_place():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (1, 20, 26, 3), dtype=np.uint8)
    weights = rng.normal(size=pixels.shape)
    fill = np.array([10, 20, 30], np.uint8)

    def probability(inputs):
        return np.array([(weights * one).sum() for one in inputs])

    raster = Raster.of((1, 20, 26), 12)
    found = occlusion(pixels, probability, fill, raster)
    assert (raster.cell_px, found.shape) == (4, (1, 5, 7))
    expected, count = np.zeros((20, 26)), np.zeros((20, 26))
    for top in range(-8, 20, 4):
        for left in range(-8, 28, 4):
            rows, columns = slice(max(0, top), top + 12), slice(max(0, left), left + 12)
            drop = (weights[0, rows, columns] * (pixels[0, rows, columns].astype(float) - fill)).sum()
            expected[rows, columns] += drop
            count[rows, columns] += 1
    assert (count == 9).all()
    assert np.allclose(found[0], (expected / count)[::4, ::4], rtol=1e-4)


@given(st.integers(1, 20), st.integers(8, 60), st.integers(8, 60), st.integers(1, 30))
def test_squares_cover_each_cell_equally_often_and_every_pixel(frames, height, width, square_px):
    raster = Raster.of((frames, height, width), square_px)
    cells, pixels = np.zeros(raster.grid, int), np.zeros(raster.shape, int)
    for square in raster.squares():
        cells[square] += 1
        pixels[raster.in_pixels(square)] += 1
    assert (cells == raster.cells**2).all()
    assert (pixels == raster.cells**2).all()
    assert raster.square_px <= square_px
    assert raster.scaled_up(np.ones(raster.grid)).shape == raster.shape


def test_what_matters_to_the_class_is_hot():
    pixels = np.zeros((8, 40, 40, 3), np.uint8)
    pixels[4:6, 24:32, 8:16] = 255

    def probability(inputs):
        return np.array([one[4:6, 24:32, 8:16].mean() / 255 for one in inputs])

    raster = Raster.of((8, 40, 40), 8)
    heat = raster.scaled_up(occlusion(pixels, probability, np.zeros(3, np.uint8), raster))
    step, row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert 4 <= step < 6
    assert 24 <= row < 32
    assert 8 <= column < 16
    assert heat[:, :12].max() == 0


@pytest.mark.parametrize(
    ("wanted", "index"),
    [("tench", 0), ("Tinca tinca", 0), ("282", 282), (282, 282), ("tiger cat", 282), ("espresso", 967)],
)
def test_a_class_is_asked_for_by_name_or_number(card, wanted, index):
    asked = asked_class(card, np.zeros(1000), wanted)
    assert (asked.index, asked.name) == (index, card.class_names[index])
    assert asked.probability == pytest.approx(0.001)


@pytest.mark.parametrize(("wanted", "words"), [("terrier", "may be"), ("expresso", "espresso"), ("1000", "0 to 999")])
def test_a_class_that_is_not_meant_for_sure_is_refused(card, wanted, words):
    with pytest.raises(UsageError, match=words):
        asked_class(card, np.zeros(1000), wanted)


def test_probabilities_are_softmax_also_of_large_values():
    assert probabilities(np.array([1000.0, 1000.0 + np.log(3)])) == pytest.approx([0.25, 0.75])
    of_each = probabilities(np.array([0.0, np.log(3), -1000.0]), groups=None)
    assert of_each == pytest.approx([0.5, 0.75, 0.0])


def test_each_head_has_probabilities_of_its_own():
    logits = np.array([[0.0, np.log(3), 5.0, 5.0]])
    share = probabilities(logits, groups=(slice(0, 2), slice(2, 4)))
    np.testing.assert_allclose(share, [[0.25, 0.75, 0.5, 0.5]])


def test_the_bundled_network_explains_itself_without_torch(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(photo()).save(path)
    found = class_map(path, square_px=150)
    label = Extractor(BUNDLED, top=1).video(path).labels[0][0]
    assert (found.asked.name, found.heat.shape) == (label.name, (1, 224, 224))
    assert found.asked.probability == pytest.approx(label.probability, abs=1e-5)
    title = draw_class_map(found, model=BUNDLED).axes[0].texts[0].get_text()
    assert title.startswith(f"{label.name.partition(',')[0]}: ")


def test_options_that_do_not_go_together(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(photo()).save(path)
    with pytest.raises(UsageError, match="--method magic"):
        class_map(path, method="magic")
    with pytest.raises(UsageError, match="--layer bn2: is for --method gradcam"):
        class_map(path, method="occlusion", layer="bn2")
    with pytest.raises(UsageError, match="--square: is for --method occlusion"):
        class_map(path, method="gradcam", square_px=10)
    with pytest.raises(UsageError, match="--square 300"):
        class_map(path, square_px=300)


def test_the_command_prints_the_class(tmp_path, capsys):
    path = tmp_path / "photo.png"
    Image.fromarray(photo()).save(path)
    with pytest.raises(SystemExit) as stopped:
        main(["show", "cam", str(path), "--class", "espresso", "--square", "200", "-o", str(tmp_path / "cam.svg")])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith("espresso: 0.0")
    assert "espresso" in (tmp_path / "cam.svg").read_text("utf-8")


def test_heat_leaves_the_picture_under_it_and_is_red_at_most():
    gray = np.full((1, 8, 8, 3), 128, np.uint8)
    heat = np.zeros((1, 2, 2))
    heat[0, 0, 0] = 3.0
    drawn = heated(gray, heat)
    assert drawn.shape == gray.shape
    assert drawn.dtype == np.uint8
    red, _, blue = drawn[0, 0, 0].astype(int)
    assert red > blue + 40
    assert (heated(gray, np.zeros((1, 2, 2))) == heated(gray, -heat)).all()


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))
def test_scaling_up_keeps_what_is_constant_and_stays_within(steps, height, width):
    values = np.random.default_rng(height).normal(size=(steps, height, width))
    large = scaled_up(values, (7, 13, 9))
    assert large.shape == (7, 13, 9)
    assert large.min() >= values.min() - 1e-5
    assert large.max() <= values.max() + 1e-5
    assert np.allclose(scaled_up(np.full((steps, height, width), 2.5), (7, 13, 9)), 2.5)
    assert np.allclose(scaled_up(values, values.shape), values, atol=1e-6)


def test_rollout_is_the_product_of_the_layers_each_half_past_itself():
    rng = np.random.default_rng(0)
    layers = [powers / powers.sum(axis=2, keepdims=True) for powers in rng.random((3, 2, 4, 4))]
    expected = np.zeros((4, 4))
    one, two, three = (
        [[0.5 * np.mean([h[i, j] for h in w]) + 0.5 * (i == j) for j in range(4)] for i in range(4)] for w in layers
    )
    for i in range(4):
        for j in range(4):
            expected[i, j] = sum(three[i][k] * two[k][m] * one[m][j] for k in range(4) for m in range(4))
    found = rollout(layers)
    assert np.allclose(found, expected, atol=1e-6)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)
