"""Feature maps and filters of packed networks: the right values, at the right places, of the right moment."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from media_made import number_in, photo, write_numbered
from visfeat.card import InputSpec, LayerSpec
from visfeat.cli.main import main
from visfeat.errors import MediaError, UnknownLayer, UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.models.bundled import BundledModels
from visfeat.models.source import ModelRequest
from visfeat.preprocess import Preprocessor
from visfeat.recipe import Recipe
from visfeat.show.filters import Filters, filters
from visfeat.show.look import look
from visfeat.show.maps import Maps, maps_of, telling_layers
from visfeat.show.maps_figure import draw_maps, feature_maps

BUNDLED = "bundled/efficientnet_lite0"
pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "photo.png"
    Image.fromarray(photo()).save(path)
    return path


def spec(kind, shape, **more):
    return LayerSpec(name="layer", kind=kind, shape=shape, **more)


def test_maps_of_each_kind_have_the_channel_first_and_time_before_height():
    values = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    first = maps_of(values, spec("map", (2, 3, 4))).values
    assert first.shape == (2, 1, 3, 4)
    assert (first[:, 0] == values).all()
    last = maps_of(values, spec("map", (2, 3, 4), channels_last=True)).values
    assert last.shape == (4, 1, 2, 3)
    assert (last[1, 0] == values[..., 1]).all()
    clip = np.zeros((2, 5, 3, 4))
    assert maps_of(clip, spec("map", (2, 5, 3, 4))).values.shape == (2, 5, 3, 4)


def test_tokens_are_maps_over_the_patches_row_by_row():
    tokens = np.random.default_rng(0).normal(size=(1 + 9, 4))
    maps = maps_of(tokens, spec("tokens", (10, 4), prefix_tokens=1)).values
    assert maps.shape == (4, 1, 3, 3)
    assert maps[2, 0, 1, 0] == tokens[1 + 3, 2]
    over_time = np.random.default_rng(0).normal(size=(2 * 9, 4))
    maps = maps_of(over_time, spec("tokens", (18, 4)), clip_frames=4).values
    assert maps.shape == (4, 2, 3, 3)
    assert maps[3, 1, 2, 1] == over_time[9 + 7, 3]


@pytest.mark.parametrize("layer", [spec("vector", (8,)), spec("tokens", (7, 4)), spec("other", (2, 3))])
def test_what_has_no_place_in_the_picture_is_no_map(layer):
    with pytest.raises(UsageError, match="no place in the picture"):
        maps_of(np.zeros(layer.shape), layer)


def test_the_strongest_channels_are_those_that_vary_most():
    values = np.random.default_rng(1).normal(size=(4, 1, 5, 5)) * np.array([1, 3, 0, 2]).reshape(4, 1, 1, 1) + 100
    assert Maps("layer", values).strongest(3) == [1, 3, 0]
    with pytest.raises(UsageError, match="channels 0 to 3"):
        Maps("layer", values).chosen((0, 4))


def test_layers_of_each_depth_are_chosen():
    card = BundledModels().load(ModelRequest("efficientnet_lite0")).card
    assert telling_layers(card) == ("bn1", "blocks.1", "blocks.2", "blocks.4", "bn2")


def test_maps_are_what_the_extractor_gives_unpooled(picture):
    shown, (maps,) = feature_maps(picture, model=BUNDLED, layers=("blocks.2",))
    extracted = Extractor(BUNDLED, layers=("blocks.2",), pool="none")([picture])[0]
    assert shown.pixels.shape == (1, 224, 224, 3)
    assert np.array_equal(maps.values[:, 0], extracted)


def test_a_figure_has_the_picture_and_each_map(picture):
    shown, layers = feature_maps(picture, model=BUNDLED, layers=("blocks.2", "bn2"))
    figure = draw_maps(shown, layers, model=BUNDLED, count=5)
    drawn = [np.asarray(image.get_array()) for image in figure.axes[0].images]
    assert len(drawn) == 1 + 2 * 5
    assert np.array_equal(drawn[0], shown.pixels[0])
    strongest = layers[0].strongest(1)[0]
    assert np.array_equal(drawn[1], layers[0].values[strongest, 0])
    assert figure.axes[0].images[1].get_clim() == (drawn[1].min(), drawn[1].max())


def test_of_a_layer_all_maps_share_their_colors(picture):
    shown, layers = feature_maps(picture, model=BUNDLED, layers=("blocks.2",))
    figure = draw_maps(shown, layers, model=BUNDLED, channels=(3, 0), scale="layer")
    maps = layers[0].values[[3, 0]]
    assert {image.get_clim() for image in figure.axes[0].images[1:]} == {(maps.min(), maps.max())}
    with pytest.raises(UsageError, match="--scale"):
        draw_maps(shown, layers, model=BUNDLED, scale="both")


def numbered_video(tmp_path, frames=20):
    return write_numbered(tmp_path / "numbered.mp4", frames, rate=10)


@pytest.mark.parametrize(
    ("at_s", "number"), [(None, 0), (Fraction(0), 0), (Fraction(35, 100), 3), (Fraction(19, 10), 19)]
)
def test_of_a_video_the_frame_on_display_is_looked_at(tmp_path, at_s, number):
    square = InputSpec(size_px=(64, 128), resize_px=64, fit="squash", mean=(0, 0, 0), std=(1, 1, 1))
    shown = look(numbered_video(tmp_path), Recipe(), Preprocessor(square), at_s)
    assert number_in(shown.pixels[0]) == number
    assert shown.start_s == pytest.approx(number / 10)


@pytest.mark.parametrize(
    ("at_s", "numbers"), [(None, [0, 1, 2]), (Fraction(1, 2), [5, 6, 7]), (Fraction(19, 10), [17, 18, 19])]
)
def test_of_a_clip_network_the_clip_that_begins_there(tmp_path, at_s, numbers):
    of_clips = InputSpec(size_px=(64, 128), resize_px=64, fit="squash", mean=(0, 0, 0), std=(1, 1, 1), clip_frames=3)
    recipe = Recipe(clip=3, stride=3, clip_fps=Fraction(10), tail="overlap")
    shown = look(numbered_video(tmp_path), recipe, Preprocessor(of_clips), at_s)
    assert [number_in(frame) for frame in shown.pixels] == numbers


def test_moments_that_are_not_there_are_refused(tmp_path, picture):
    square = InputSpec(size_px=(64, 64), resize_px=64, fit="squash", mean=(0, 0, 0), std=(1, 1, 1))
    with pytest.raises(UsageError, match="ends at 2 s"):
        look(numbered_video(tmp_path), Recipe(), Preprocessor(square), Fraction(5))
    with pytest.raises(UsageError, match="still image"):
        look(picture, Recipe(), Preprocessor(square), Fraction(1))
    with pytest.raises(MediaError, match=r"none\.png"):
        look(tmp_path / "none.png", Recipe(), Preprocessor(square))


def test_filters_are_the_weights_that_give_the_map(picture):
    """The first map computed from the filters by loops over the kernel, as the network's own convolution gives it."""
    kernels = filters(BUNDLED)
    assert (kernels.layer, kernels.values.shape) == ("conv_stem", (32, 3, 1, 3, 3))
    shown, (maps,) = feature_maps(picture, model=BUNDLED, layers=("conv_stem",))
    card = BundledModels().load(ModelRequest("efficientnet_lite0")).card
    pixels = np.pad(shown.normalized(card.input)[0], ((0, 0), (0, 1), (0, 1)))  # a stride of 2 needs one pixel more
    expected = np.zeros((32, 112, 112))
    for i in range(3):
        for j in range(3):
            seen = pixels[:, i : i + 223 : 2, j : j + 223 : 2]
            expected += np.einsum("oc,chw->ohw", kernels.values[:, :, 0, i, j], seen)
    assert np.abs(maps.values[:, 0] - expected).max() < 1e-4


def test_named_filters_and_those_of_each_channel_by_itself():
    assert filters(BUNDLED, "blocks.0.0.conv_dw").values.shape == (32, 1, 1, 3, 3)
    assert filters(BUNDLED, "blocks.2.0.conv_pw").values.shape == (144, 24, 1, 1, 1)
    with pytest.raises(UnknownLayer, match="did you mean conv_stem"):
        filters(BUNDLED, "conv_sten")


@pytest.mark.parametrize(
    ("shape", "pictures"), [((4, 3, 1, 3, 3), 4), ((4, 1, 1, 3, 3), 4), ((4, 3, 5, 3, 3), 20), ((4, 6, 1, 3, 3), 24)]
)
def test_filters_are_drawn_with_zero_as_gray(shape, pictures):
    from visfeat.show.filters_figure import draw_filters

    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    figure = draw_filters(Filters("conv", values), model="made")
    images = figure.axes[0].images
    assert len(images) == pictures
    first = np.asarray(images[0].get_array())
    shade = 0.5 + values[0] / (2 * np.abs(values[0]).max())
    expected = np.moveaxis(shade[:, 0], 0, -1) if shape[1] == 3 else shade[0, 0]
    assert np.allclose(first, expected, atol=1e-6)


def run(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return stopped.value.code


def test_commands_write_png_and_svg_and_nothing_else(tmp_path, picture, capsys):
    assert run("show", "maps", picture, "-l", "bn2", "--channels", "0,7", "-o", tmp_path / "maps.png") == 0
    with Image.open(tmp_path / "maps.png") as drawn:
        assert drawn.format == "PNG"
    assert run("show", "filters", BUNDLED, "-o", tmp_path / "filters.svg") == 0
    assert "Filters of conv_stem" in (tmp_path / "filters.svg").read_text("utf-8")
    assert run("show", "filters", BUNDLED, "-o", tmp_path / "filters.pdf") == 2
    assert "ends in .png or .svg" in capsys.readouterr().err
    assert run("show", "maps", picture, "--channels", "a", "-o", tmp_path / "maps.png") == 2
