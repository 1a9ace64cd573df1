"""Images in all eight orientations come out upright."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from media_made import (
    UPRIGHT_CORNERS,
    corners,
    encoded,
    only_picture,
    opened_bytes,
    quadrants,
)
from visfeat.decode.orientation import clockwise_degrees, exif_orientation, jpeg_orientation, upright

STORED_AS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
"""Orientation -> the turn that makes an upright picture into the stored one: its inverse."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_all_orientations_come_out_upright(tmp_path, orientation, format_name):
    stored = Image.fromarray(upright(quadrants(), STORED_AS[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    if format_name == "HEIF":
        pillow_heif = pytest.importorskip("pillow_heif")
        buffer = io.BytesIO()
        pillow_heif.from_bytes("RGB", stored.size, stored.tobytes()).save(buffer, exif=exif.tobytes())
        content = buffer.getvalue()
    else:
        content = encoded(stored, format_name, exif=exif)
    decoder = opened_bytes(tmp_path / "a", content)
    picture = only_picture(decoder)
    assert picture.shape == (40, 60, 3)
    assert (decoder.info.height, decoder.info.width) == (40, 60)
    assert corners(picture) == UPRIGHT_CORNERS
    if format_name != "HEIF":  # there the library turns it, and tells nothing
        assert decoder.info.rotation == clockwise_degrees(orientation)


@given(st.integers(1, 8), st.integers(1, 5), st.integers(1, 5))
def test_orientations_undo_each_other(orientation, height, width):
    picture = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    assert np.array_equal(upright(upright(picture, orientation), STORED_AS[orientation]), picture)


@given(st.integers(0, 20), st.booleans())
def test_exif_orientation_in_both_byte_orders(value, little):
    order, mark = ("<", b"II*\0") if little else (">", b"MM\0*")
    block = mark + struct.pack(order + "IHHHIHH", 8, 1, 0x0112, 3, 1, value, 0)
    assert exif_orientation(block) == (value if 1 <= value <= 8 else 1)


@given(st.binary(max_size=200))
def test_damaged_exif_means_upright(noise):
    assert exif_orientation(b"II*\0" + noise) in range(1, 9)
    assert jpeg_orientation(b"\xff\xd8\xff\xe1" + noise) in range(1, 9)
    assert jpeg_orientation(noise) in range(1, 9)


def test_jpeg_is_turned_after_reduction(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(upright(quadrants(400, 600), 8), "JPEG", exif=exif)
    picture = only_picture(opened_bytes(tmp_path / "a.jpg", content, reducible_to_px=100))
    assert picture.shape == (100, 150, 3)
    assert corners(picture) == UPRIGHT_CORNERS


def test_a_cmyk_jpeg_is_turned_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(Image.fromarray(upright(quadrants(), 8)).convert("CMYK"), "JPEG", quality=95, exif=exif)
    decoder = opened_bytes(tmp_path / "a.jpg", content)
    assert (decoder.info.height, decoder.info.width, decoder.info.rotation) == (40, 60, 90)
    assert corners(only_picture(decoder)) == UPRIGHT_CORNERS
