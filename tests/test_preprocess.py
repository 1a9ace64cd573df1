"""Preprocessing against Pillow, and geometry against pictures whose right pixels are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from visfeat.card import InputSpec
from visfeat.errors import BrokenMedia
from visfeat.frames import FrameBatch
from visfeat.preprocess import Preprocessor, cut
from visfeat.resize import Geometry


def spec(size=(224, 224), resize=256, fit="crop", interpolation="bicubic") -> InputSpec:
    return InputSpec(
        size_px=size, resize_px=resize, fit=fit, interpolation=interpolation, mean=(0.5, 0.25, 0.0), std=(1, 1, 1)
    )


def photograph(height: int, width: int) -> np.ndarray:
    """Smooth structure with some noise, like a photograph."""
    rng = np.random.default_rng(height * 10_000 + width)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    return np.clip(smooth + rng.integers(-12, 13, smooth.shape), 0, 255).astype(np.uint8)


def by_hand(picture: np.ndarray, size: int, resize: int, resample: Image.Resampling) -> np.ndarray:
    """Resize the short side, cut out the center: written out, with Pillow."""
    height, width = picture.shape[:2]
    short = min(height, width)
    new_w = resize if width <= height else int(resize * width / height)
    new_h = resize if height <= width else int(resize * height / width)
    assert min(new_w, new_h) == resize, short
    left, top = int(round((new_w - size) / 2)), int(round((new_h - size) / 2))
    resized = Image.fromarray(picture).resize((new_w, new_h), resample)
    return np.asarray(resized.crop((left, top, left + size, top + size)))


@pytest.mark.parametrize("shape", [(300, 400), (401, 299), (256, 256), (640, 120), (90, 70)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "lanczos", "nearest", "box", "hamming"])
def test_reference_is_pillow(shape, interpolation):
    picture = photograph(*shape)
    expected = by_hand(picture, 224, 256, Image.Resampling[interpolation.upper()])
    actual = Preprocessor(spec(interpolation=interpolation), method="reference").picture(picture)
    assert np.array_equal(actual, expected)


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(60, 700), width=st.integers(60, 700), kind=st.sampled_from(["bicubic", "bilinear", "lanczos"])
)
def test_fast_differs_from_pillow_by_rounding_only(height, width, kind):
    picture = photograph(height, width)
    reference = Preprocessor(spec(interpolation=kind), method="reference").picture(picture).astype(int)
    fast = Preprocessor(spec(interpolation=kind), method="fast").picture(picture).astype(int)
    difference = fast - reference
    assert np.abs(difference).max() <= 3
    # Near a scale of 1 many values lie on the edge of two; a shift or another kernel would differ by far more.
    assert (difference != 0).mean() < 0.3
    assert abs(difference.mean()) < 0.05


def test_squash_takes_all_and_keeps_no_ratio():
    picture = photograph(100, 300)
    expected = np.asarray(Image.fromarray(picture).resize((224, 224), Image.Resampling.BICUBIC))
    assert np.array_equal(Preprocessor(spec(fit="squash"), method="reference").picture(picture), expected)


def test_pad_shows_the_whole_picture_between_bars_of_the_mean():
    picture = np.full((100, 200, 3), 200, dtype=np.uint8)
    for method in ("fast", "reference"):
        out = Preprocessor(spec(fit="pad"), method=method).picture(picture)
        assert out.shape == (224, 224, 3)
        assert (out[56:168] == 200).all()
        for bar in (out[:56], out[168:]):
            assert (bar == np.array([128, 64, 0])).all()


def test_a_crop_larger_than_the_resized_picture_is_filled():
    out = Preprocessor(spec(size=(64, 64), resize=32)).picture(np.full((50, 50, 3), 9, dtype=np.uint8))
    assert (out[16:48, 16:48] == 9).all()
    assert (out[:16] == np.array([128, 64, 0])).all()


def test_an_oblong_input_is_covered():
    geometry = Geometry.of(300, 300, spec(size=(112, 224), resize=112))
    assert (geometry.resized_height, geometry.resized_width) == (224, 224)
    assert (geometry.top, geometry.left) == (56, 0)


def test_crop_in_pixels_and_in_fractions():
    picture = photograph(100, 200)
    part = picture[10:60, 20:120]
    assert np.array_equal(cut(picture, (20, 10, 100, 50)), part)
    assert np.array_equal(cut(picture, (0.1, 0.1, 0.5, 0.5)), part)
    with pytest.raises(BrokenMedia, match="outside of 200 x 100"):
        cut(picture, (500, 10, 100, 50))


def test_clips_keep_their_axes():
    data = np.stack([photograph(80, 90), photograph(80, 91)[:, :90], photograph(81, 90)[:80]])[None]
    times = np.zeros((1, 3))
    batch = FrameBatch(data=data, pts_s=times, end_s=times, frame_index=times.astype(np.int64))
    preprocess = Preprocessor(spec(size=(32, 32), resize=32))
    out = preprocess(batch)
    assert out.shape == (1, 3, 32, 32, 3)
    assert np.array_equal(out[0, 1], preprocess.picture(data[0, 1]))


def test_jpegs_may_be_reduced_only_where_pixels_remain():
    assert Preprocessor(spec()).reducible_to_px == 4 * 256
    assert Preprocessor(spec(), method="reference").reducible_to_px is None
    assert Preprocessor(spec(), crop=(0, 0, 1, 1)).reducible_to_px is None


def test_resize_to_a_height_and_width_then_the_center():
    plain = spec(size=(112, 112), resize=112, interpolation="bilinear").model_copy(update={"resize_to_px": (128, 171)})
    picture = photograph(240, 320)
    resized = np.asarray(Image.fromarray(picture).resize((171, 128), Image.Resampling.BILINEAR))
    assert np.array_equal(Preprocessor(plain, method="reference").picture(picture), resized[8:120, 30:142])


def test_plain_resizing_is_written_out():
    wanted = spec(size=(7, 5), resize=5, fit="squash", interpolation="bilinear").model_copy(update={"antialias": False})
    picture = photograph(30, 23)
    expected = np.zeros((7, 5, 3))
    for i in range(7):
        for j in range(5):
            y = np.clip((i + 0.5) * 30 / 7 - 0.5, 0, 29)
            x = np.clip((j + 0.5) * 23 / 5 - 0.5, 0, 22)
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, 29), min(x0 + 1, 22)
            above = picture[y0, x0] * (1 - (x - x0)) + picture[y0, x1] * (x - x0)
            below = picture[y1, x0] * (1 - (x - x0)) + picture[y1, x1] * (x - x0)
            expected[i, j] = above * (1 - (y - y0)) + below * (y - y0)
    found = Preprocessor(wanted).picture(picture)
    assert np.abs(found - expected).max() <= 0.51


@settings(max_examples=300)
@given(height=st.integers(1, 900), width=st.integers(1, 900), fit=st.sampled_from(["crop", "squash", "pad"]))
def test_any_size_of_picture_fits(height, width, fit):
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    assert Preprocessor(spec(size=(32, 32), resize=37, fit=fit)).picture(picture).shape == (32, 32, 3)
