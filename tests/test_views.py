"""Views of a picture against their formulas, and rows that are the mean of their views, or keep them apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extract_made import CARD, LAYER, RECIPE, SPEC, MeanColor, run_pipeline
from media_made import photo, write_video
from visfeat.card import LayerSpec
from visfeat.engine.network import NetworkOptions
from visfeat.engine.prepare import Prepared, resolve
from visfeat.errors import UsageError
from visfeat.extraction.vectors import vectors_of
from visfeat.frames import FrameBatch
from visfeat.preprocess import Preprocessor
from visfeat.recipe import Recipe
from visfeat.resize import Geometry
from visfeat.views import View, cut_views, views_of, whole_rows, with_views

LARGER = SPEC.model_copy(update={"size_px": (32, 32), "resize_px": 40, "mean": (0.5,) * 3})


def numbered_pixels(height: int, width: int) -> np.ndarray:
    """A picture whose first two channels are each pixel's row and column."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows, columns, rows * 0], axis=2).astype(np.uint8)


def test_three_views_stand_along_the_longer_side():
    assert views_of(3, 32, 90, (32, 32)) == (View(0, 0), View(0, 29), View(0, 58))
    assert views_of(3, 91, 32, (32, 32)) == (View(0, 0), View(30, 0), View(59, 0))
    assert views_of(3, 32, 32, (32, 32)) == (View(0, 0),) * 3


def test_five_views_are_the_corners_and_the_center():
    views = views_of(5, 40, 50, (32, 32))
    assert [(view.top, view.left) for view in views] == [(0, 0), (0, 18), (8, 0), (8, 18), (4, 9)]
    cut = cut_views(numbered_pixels(40, 50), views, (32, 32))
    assert cut.shape == (5, 32, 32, 3)
    assert cut[3, 0, 0].tolist() == [8, 18, 0]


def test_ten_views_are_five_of_the_picture_and_five_of_its_mirror_image():
    picture = numbered_pixels(40, 51)
    cut = cut_views(picture, views_of(10, 40, 51, (32, 32)), (32, 32))
    assert np.array_equal(cut[5:], cut_views(picture[:, ::-1], views_of(5, 40, 51, (32, 32)), (32, 32)))
    # The top left corner of the mirror image is the mirrored top right one.
    assert np.array_equal(cut[5], cut[1][:, ::-1])


@settings(max_examples=200)
@given(height=st.integers(32, 400), width=st.integers(32, 400), crops=st.sampled_from([3, 5, 10]))
def test_every_view_lies_inside_of_the_picture(height, width, crops):
    for view in views_of(crops, height, width, (32, 30)):
        assert 0 <= view.top <= height - 32
        assert 0 <= view.left <= width - 30


@settings(max_examples=60, deadline=None)
@given(height=st.integers(20, 90), width=st.integers(20, 90), crops=st.sampled_from([3, 5, 10]))
def test_any_picture_has_all_its_views(height, width, crops):
    spec = with_views(LARGER, crops)
    picture = numbered_pixels(height, width)
    assert Preprocessor(spec, crops=crops).pictures(picture).shape == (crops, 32, 32, 3)
    geometry = Geometry.of(height, width, spec)
    if crops == 3:
        assert min(geometry.resized_height, geometry.resized_width) == 32


def test_views_are_cut_from_the_picture_resized_once():
    picture = photo(120, 200)
    spec = with_views(LARGER, 5)
    whole = LARGER.model_copy(update={"size_px": (40, 66), "resize_px": 40, "fit": "squash"})
    resized = Preprocessor(whole, method="reference").picture(picture)
    views = Preprocessor(spec, method="reference", crops=5).pictures(picture)
    corners = [(0, 0), (0, 34), (8, 0), (8, 34), (4, 17)]
    assert np.array_equal(views, [resized[top : top + 32, left : left + 32] for top, left in corners])
    assert np.array_equal(views[4], Preprocessor(spec, method="reference").picture(picture))


def test_all_frames_of_a_clip_are_cut_alike():
    data = np.stack([photo(60, 90, seed) for seed in range(3)])[None]
    times = np.zeros((1, 3))
    batch = FrameBatch(data=data, pts_s=times, end_s=times, frame_index=times.astype(np.int64))
    preprocess = Preprocessor(with_views(LARGER, 3), crops=3)
    out = preprocess(batch)
    assert out.shape == (3, 3, 32, 32, 3)
    for t in range(3):
        assert np.array_equal(out[:, t], preprocess.pictures(data[0, t]))


@pytest.mark.parametrize("fit", ["squash", "pad"])
def test_a_fit_without_other_views_is_refused(fit):
    with pytest.raises(UsageError, match=f"--crops 3: with --fit {fit} .* say --fit crop"):
        with_views(LARGER.model_copy(update={"fit": fit}), 3)


def test_an_input_larger_than_what_is_resized_to_is_refused():
    with pytest.raises(UsageError, match="--crops 10: .* less than the input's"):
        with_views(LARGER.model_copy(update={"resize_px": 30}), 10)
    with pytest.raises(UsageError, match="--crops 5"):
        with_views(LARGER.model_copy(update={"resize_to_px": (30, 50)}), 5)


def test_apart_without_views_is_refused():
    with pytest.raises(UsageError, match="--crops-apart"):
        resolve(RECIPE.but(crops_apart=True), CARD, engine="fake", device="cpu")


def test_a_batch_holds_whole_rows():
    assert [whole_rows(size, 5) for size in (1, 2, 5, 6, 16)] == [5, 5, 5, 10, 20]
    options = NetworkOptions(layers=("mean",), input=SPEC, batch_multiple=3)
    assert options.whole_rows(2) == 3
    assert NetworkOptions(layers=("mean",), input=SPEC, batch_size=2).whole_rows(16) == 2


def prepared(recipe: Recipe, batch_size: int, layer: LayerSpec = LAYER) -> Prepared:
    card = CARD.model_copy(update={"layers": (layer,), "logits_layer": "mean", "class_names": ("a", "b", "c")})
    return Prepared(recipe, card, MeanColor(batch_size), {})


def test_a_row_is_the_mean_of_its_views_before_it_gets_unit_length():
    values = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    mean = values.reshape(2, 3, 3).mean(axis=1)
    found = vectors_of({"mean": values}, prepared(RECIPE.but(crops=3), 6))
    assert np.allclose(found.values["mean"], mean, atol=1e-7)
    assert found.finite.shape == (2,)
    unit = vectors_of({"mean": values}, prepared(RECIPE.but(crops=3, normalize=True), 6)).values["mean"]
    assert np.allclose(unit, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-6)


def test_views_kept_apart():
    values = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    here = prepared(RECIPE.but(crops=3, crops_apart=True), 6)
    assert here.row_shapes == {"mean": (3, 3)}
    assert np.array_equal(vectors_of({"mean": values}, here).values["mean"], values.reshape(2, 3, 3))


def test_one_view_that_is_not_finite_spoils_its_row_alone():
    values = np.ones((6, 3), dtype=np.float32)
    values[4, 1] = np.nan
    assert vectors_of({"mean": values}, prepared(RECIPE.but(crops=3), 6)).finite.tolist() == [True, False]


def test_class_names_by_the_mean_probability_of_the_views():
    logits = np.log(np.array([[0.6, 0.3, 0.1], [0.1, 0.7, 0.2]], dtype=np.float32))
    (labels,) = vectors_of({"mean": logits[[0, 1, 1]]}, prepared(RECIPE.but(crops=3, top=2), 3)).labels
    assert [label.name for label in labels] == ["b", "a"]
    assert np.isclose(labels[0].probability, (0.3 + 0.7 + 0.7) / 3)


def test_rows_of_a_video_are_those_of_its_views(tmp_path):
    pictures = [photo(48, 80, seed) for seed in range(7)]
    (tmp_path / "media").mkdir()
    write_video(tmp_path / "media" / "v.mp4", pictures, rate=10)
    rows = {}
    for name, options in {"mean": {}, "apart": {"crops_apart": True}}.items():
        recipe = resolve(
            RECIPE.but(pool=None, crops=3, every_frame=True, preprocess="reference", **options),
            CARD,
            engine="fake",
            device="cpu",
        )
        network = MeanColor(6)
        store, progress, _ = run_pipeline(tmp_path / "media", tmp_path / f"{name}.vf", network, recipe=recipe)
        assert (progress.failed, network.batches) == (0, 4)
        rows[name], table = store.features()
        assert table["frame_index"].to_pylist() == list(range(7))
    assert (rows["mean"].shape, rows["apart"].shape) == ((7, 3), (7, 3, 3))
    assert np.allclose(rows["apart"].mean(axis=1), rows["mean"], atol=1e-5)
    # Left, middle and right of the decoded pictures differ.
    assert np.ptp(rows["apart"], axis=1).max() > 1


def test_a_recipe_without_views_keeps_its_digest():
    recipe = resolve(RECIPE.but(pool=None), CARD, engine="fake", device="cpu")
    assert "crops" not in recipe.to_toml()
    assert recipe.but(crops=5).digest != recipe.digest
