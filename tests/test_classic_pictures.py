"""HOG, local binary patterns, color histograms and the perceptual hash, each against another's numbers or a loop."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from PIL import Image

import visfeat as vf
from media_made import encoded, photo, write_video
from visfeat.engine.classic import ClassicEngine
from visfeat.engine.plain_products import plain_products
from visfeat.errors import UsageError
from visfeat.models.classic.color_histogram import hsv_codes, lab_codes
from visfeat.models.classic.grey import grey_of
from visfeat.models.classic.histograms import root_shares
from visfeat.models.classic.hog import CELLS, hog
from visfeat.models.classic.lbp import SCALES, codes_riu2, codes_u2
from visfeat.models.classic.phash import phash
from visfeat.models.classic.source import ClassicModels
from visfeat.models.registry import load_model
from visfeat.testing import EngineSuite, ModelSourceSuite

MODELS = ("color_histogram", "hog", "lbp", "phash", "sift_bow", "sift_fisher", "sift_vlad")


class TestHogAsModel(ModelSourceSuite):
    model = "hog"

    def source(self):
        return ClassicModels()


class TestPhashAsModel(TestHogAsModel):
    model = "phash"


class TestLbpInTheEngine(EngineSuite):
    layers = ("lbp", "grid")

    def engine(self):
        return ClassicEngine()

    def model(self):
        return load_model("classic/lbp", size_px=32)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def values(model, picture, layer):
    return load_model(f"classic/{model}", size_px=len(picture)).functions[layer](picture[None])


@pytest.mark.parametrize("picture", [noise(128, 128), photo(96, 100), photo(77, 64), np.full((64, 64, 3), 9, np.uint8)])
@pytest.mark.parametrize("cells", CELLS.values())
def test_hog_is_that_of_scikit_image(picture, cells):
    feature = pytest.importorskip("skimage.feature")
    side = (picture.shape[0] // cells, picture.shape[1] // cells)
    theirs = feature.hog(picture, 9, side, (2, 2), "L2-Hys", channel_axis=-1)
    # Where the leftover pixels make one more cell, theirs has it: the blocks that both have are the same.
    rows, columns = (size // edge - 1 for size, edge in zip(picture.shape, side, strict=False))
    both = theirs.reshape(rows, columns, 36)[: cells - 1, : cells - 1]
    assert np.allclose(hog(picture, cells), both.ravel(), atol=1e-6, rtol=0)


def test_a_ramp_has_its_gradient_in_one_direction():
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[:, None, None], 64, axis=1).repeat(3, axis=2)
    bins = hog(ramp, 8).reshape(-1, 9)
    assert bins[:, 4].min() > 0
    assert np.delete(bins, 4, axis=1).max() == 0


GREYS = [
    noise(40, 37)[..., 0],
    (noise(40, 40, 1)[..., 0] // 64) * 64,
    photo(50, 60)[..., 1],
    np.zeros((20, 20), np.uint8),
]


@pytest.mark.parametrize("grey", GREYS)
@pytest.mark.parametrize("scale", SCALES)
def test_patterns_that_turn_are_those_of_scikit_image(grey, scale):
    feature = pytest.importorskip("skimage.feature")
    radius = scale[1]
    theirs = feature.local_binary_pattern(grey, *scale, "uniform")[radius:-radius, radius:-radius]
    assert np.array_equal(codes_riu2(grey, *scale), theirs)


@pytest.mark.parametrize("grey", GREYS)
def test_patterns_that_do_not_turn_are_those_of_scikit_image(grey):
    feature = pytest.importorskip("skimage.feature")
    theirs = feature.local_binary_pattern(grey, 8, 1, "nri_uniform")[1:-1, 1:-1]
    assert np.array_equal(codes_u2(grey), theirs)


def test_lbp_is_the_root_of_shares():
    picture = photo(64, 64)
    found = values("lbp", picture, "lbp")
    first = np.bincount(codes_riu2(grey_of(picture), 8, 1).ravel(), minlength=10)
    assert np.allclose(np.square(found[:10]) * 3, first / first.sum(), atol=1e-6)
    assert np.allclose(values("lbp", np.rot90(picture).copy(), "lbp"), found, atol=1e-6)
    assert values("lbp", picture, "grid").shape == (16 * 59,)


def test_root_shares_compare_as_bhattacharyya_does():
    left, right = np.array([[3, 1, 0], [0, 0, 5]]), np.array([[1, 1, 2], [4, 0, 0]])
    overlap = [np.sqrt(p / p.sum() * q / q.sum()).sum() for p, q in zip(left, right, strict=True)]
    assert np.isclose(root_shares(left) @ root_shares(right), np.mean(overlap))
    assert np.array_equal(root_shares(np.zeros((2, 3), int)), np.zeros(6))


def test_hues_saturations_and_values_have_their_bins():
    picture = noise(24, 24, 2)
    for code, color in zip(hsv_codes(picture).ravel(), picture.reshape(-1, 3), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(color / 255))
        if min(saturation, value) * 255 < 25:
            assert code == 162 + int(value * 255) // 64
        elif min(saturation, value) * 255 > 27:
            near = [(hue * 18 + wrong) % 18 // 1 for wrong in (-0.06, 0, 0.06)]
            assert code // 9 in near
            assert abs(code // 3 % 3 - (saturation * 255 - 26) * 3 / 230) < 1.02
            assert code % 3 == int((value * 255 + 1e-6 - 26) * 3 / 230)


@pytest.mark.parametrize(
    ("color", "hsv", "lab"),
    [
        ((255, 0, 0), 0 * 9 + 8, 2 * 64 + 7 * 8 + 7),
        ((0, 255, 0), 6 * 9 + 8, 3 * 64 + 0 * 8 + 7),
        ((0, 0, 255), 12 * 9 + 8, 1 * 64 + 7 * 8 + 0),
        ((0, 0, 0), 162, 0 * 64 + 4 * 8 + 4),
        ((255, 255, 255), 165, 3 * 64 + 4 * 8 + 4),
    ],
)
def test_known_colors(color, hsv, lab):
    picture = np.full((4, 4, 3), color, np.uint8)
    assert np.unique(hsv_codes(picture)).tolist() == [hsv]
    assert np.unique(lab_codes(picture)).tolist() == [lab]


def test_a_grid_of_colors_keeps_places_apart():
    picture = np.zeros((30, 30, 3), np.uint8)
    picture[10:20, 20:] = (255, 0, 0)
    found = values("color_histogram", picture, "hsv_grid").reshape(3, 3, 166)
    assert np.isclose(found[1, 2, 8], 1 / 3)
    assert np.isclose(found[..., 162].sum(), 8 / 3)
    whole = values("color_histogram", picture, "hsv")
    assert np.allclose(whole[[8, 162]], np.sqrt([1 / 9, 8 / 9]))


def test_grey_is_that_of_pillow():
    picture = noise(64, 64, 3)
    assert np.array_equal(grey_of(picture), np.asarray(Image.fromarray(picture).convert("L")))


@pytest.mark.parametrize("seed", range(20))
def test_the_hash_is_that_of_imagehash(seed):
    imagehash = pytest.importorskip("imagehash")
    picture = noise(32, 32, seed) if seed % 2 else np.asarray(Image.fromarray(photo(seed=seed)).resize((32, 32)))
    theirs = imagehash.phash(Image.fromarray(picture)).hash
    assert np.array_equal(phash(grey_of(picture)) > 0, theirs.ravel())


def test_the_hash_by_the_sums_of_the_transform():
    grey = noise(32, 32)[..., 0].astype(float)
    place = np.arange(32)
    wave = [np.cos(np.pi * k * (2 * place + 1) / 64) for k in range(8)]
    lowest = np.array([[(grey * np.outer(wave[y], wave[x])).sum() for x in range(8)] for y in range(8)])
    assert np.array_equal(phash(grey.astype(np.uint8)) > 0, (lowest > np.median(lowest)).ravel())
    assert phash(np.full((32, 32), 200, np.uint8)).tolist() == [1] + [-1] * 63


@pytest.mark.parametrize("model", MODELS)
def test_rows_depend_on_no_neighbor_and_no_thread(model):
    pictures = [photo(120, 160, seed=n) for n in range(4)] + [np.zeros((9, 9, 3), np.uint8)]
    layers = tuple(spec.name for spec in load_model(f"classic/{model}").card.layers)
    one_by_one = vf.Extractor(f"classic/{model}", layers=layers, batch_size=1)
    alone = [one_by_one([picture]) for picture in pictures]
    together = vf.Extractor(f"classic/{model}", layers=layers, batch_size=3)(pictures[::-1])
    for layer in layers:
        rows = together[layer] if len(layers) > 1 else together
        each = [found[layer] if len(layers) > 1 else found for found in alone]
        assert np.array_equal(rows[::-1], np.concatenate(each))
        assert np.isfinite(rows).all()


@pytest.mark.parametrize("model", MODELS)
def test_images_and_videos_into_a_store(model, tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    for n in range(2):
        (media / f"{n}.png").write_bytes(encoded(photo(seed=n), "PNG"))
    write_video(media / "v.mp4", [photo(108, 192, seed=n // 10) for n in range(30)], rate=10)
    options = {"model": f"classic/{model}"}
    runs = [vf.extract(media, store=tmp_path / f"{n}.vf", threads=n, **options) for n in (1, 3)]
    assert [run.rows for run in runs] == [2 + 3] * 2
    left, right = (vf.open_store(tmp_path / f"{n}.vf").features()[0] for n in (1, 3))
    assert np.array_equal(left, right)
    assert runs[0].recipe.digest == vf.Extractor(f"classic/{model}").recipe.digest


def test_what_is_too_small_is_said():
    with pytest.raises(UsageError, match="--size 16: classic/hog takes 32 pixels or more"):
        load_model("classic/hog", size_px=16)
    with pytest.raises(UsageError, match="computed, not learned"):
        load_model("classic/lbp", weights="words.safetensors")
    with pytest.raises(UsageError, match="did you mean sift_vlad"):
        load_model("classic/sift_vald")


def test_products_get_their_threads_back():
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def threads():
        # SciPy has a library of its own, which computes nothing here.
        pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
        return [pool["num_threads"] for pool in pools if "scipy" not in pool["filepath"]]

    before = threads()
    with plain_products():
        with plain_products():
            assert set(threads()) == {1}
        assert set(threads()) == {1}
    assert threads() == before
