"""JPEG: Pillow's own pixels, smaller where that suffices, and damage noticed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from media_made import (
    encoded,
    only_picture,
    opened_bytes,
    photo,
    pillow_says,
)
from visfeat.decode.jpeg import reduced_size


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_gives_pillows_own_pixels(tmp_path, subsampling, progressive):
    content = encoded(photo(), "JPEG", quality=85, subsampling=subsampling, progressive=progressive)
    decoder = opened_bytes(tmp_path / "a.jpg", content)
    assert (decoder.name, decoder.info.height, decoder.info.width, decoder.info.codec) == ("jpeg", 301, 399, "jpeg")
    assert np.array_equal(only_picture(decoder), pillow_says(content))
    assert decoder.problem is None


def test_grey_jpeg_gives_pillows_own_pixels(tmp_path):
    content = encoded(photo()[:, :, 0], "JPEG")
    assert np.array_equal(only_picture(opened_bytes(tmp_path / "a.jpg", content)), pillow_says(content))


def test_cmyk_jpeg_goes_to_pillow(tmp_path):
    content = encoded(Image.fromarray(photo()).convert("CMYK"), "JPEG", quality=95)
    picture = only_picture(opened_bytes(tmp_path / "a.jpg", content))
    assert np.array_equal(picture, pillow_says(content))
    assert np.abs(picture.astype(int) - photo()).mean() < 12  # neither inverted nor shifted


@given(st.integers(1, 9000), st.integers(1, 9000), st.integers(1, 2000))
def test_reduction_is_by_powers_of_two_and_keeps_the_short_side(height, width, least):
    small = reduced_size(height, width, least)
    factors = [f for f in (1, 2, 4, 8) if small == (-(-height // f), -(-width // f))]
    assert factors
    assert min(small) >= least or small == (height, width)
    next_factor = 2 * max(factors)
    assert next_factor > 8 or min(-(-height // next_factor), -(-width // next_factor)) < least


@pytest.mark.parametrize(
    ("least", "shape"), [(None, (301, 399)), (151, (151, 200)), (152, (301, 399)), (76, (76, 100)), (10, (38, 50))]
)
def test_jpeg_is_decoded_smaller_where_that_suffices(tmp_path, least, shape):
    content = encoded(photo(), "JPEG", quality=95)
    decoder = opened_bytes(tmp_path / "a.jpg", content, reducible_to_px=least)
    picture = only_picture(decoder)
    assert picture.shape == (*shape, 3)
    assert (decoder.info.height, decoder.info.width) == (301, 399)
    with Image.open(io.BytesIO(content)) as image:
        image.draft("RGB", (shape[1] - 1, shape[0] - 1))  # Pillow's own DCT scaling; it rounds the other way
        assert np.array_equal(picture, np.asarray(image))


def test_jpeg_that_is_odd_but_whole_is_read(tmp_path):
    content = encoded(photo(), "JPEG")
    scan = content.index(b"\xff\xda")
    decoder = opened_bytes(tmp_path / "a.jpg", content[:scan] + b"abc" + content[scan:])
    assert np.array_equal(only_picture(decoder), pillow_says(content))
    assert decoder.problem is None


def test_jpeg_with_bytes_after_its_end_is_read(tmp_path):
    content = encoded(photo(), "JPEG")
    assert np.array_equal(only_picture(opened_bytes(tmp_path / "a.jpg", content + b"xyz" * 99)), pillow_says(content))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("fill", [b"\x00", b"\x12", b"\x5a\xa5"])
def test_a_damaged_jpeg_that_pillow_still_reads_is_partial(tmp_path, progressive, fill):
    content = bytearray(encoded(photo(), "JPEG", quality=90, progressive=progressive))
    middle = len(content) // 2
    content[middle : middle + 400] = (fill * 400)[:400]
    decoder = opened_bytes(tmp_path / "a.jpg", bytes(content))
    assert only_picture(decoder).shape == (301, 399, 3)
    assert decoder.problem is not None
    assert "damaged" in decoder.problem
