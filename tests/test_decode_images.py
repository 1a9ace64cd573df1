"""Images of every mode and format become 8-bit RGB."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from media_made import (
    encoded,
    only_picture,
    opened_bytes,
    photo,
    pillow_says,
    png_chunk,
    quadrants,
)
from visfeat.errors import UnsupportedMedia


def png16(samples: np.ndarray, color_type: int) -> bytes:
    """A 16-bit PNG made by hand; samples uint16 (H, W) or (H, W, C)."""
    height, width = samples.shape[:2]
    rows = samples.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(raw)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("format_name", "options", "tolerance"),
    [("PNG", {}, 0), ("WEBP", {"lossless": True}, 0), ("BMP", {}, 0), ("TIFF", {}, 0), ("PPM", {}, 0), ("QOI", {}, 0),
     ("TIFF", {"compression": "tiff_lzw"}, 0), ("TIFF", {"compression": "tiff_deflate"}, 0),
     ("JPEG2000", {"irreversible": False}, 0), ("AVIF", {"quality": 100, "subsampling": "4:4:4"}, 3)],
)  # fmt: skip
def test_color_pictures_keep_their_pixels(tmp_path, format_name, options, tolerance):
    decoder = opened_bytes(tmp_path / "a", encoded(photo(), format_name, **options))
    assert decoder.name == "pillow"
    assert np.abs(only_picture(decoder).astype(int) - photo()).max() <= tolerance


def test_heic_keeps_its_colors(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_bytes("RGB", (60, 40), quadrants().tobytes()).save(buffer, quality=90)
    decoder = opened_bytes(tmp_path / "a.heic", buffer.getvalue())
    assert np.abs(only_picture(decoder).astype(int) - quadrants()).mean() < 3


@pytest.mark.parametrize("format_name", ["PNG", "TIFF", "BMP", "GIF"])
def test_palettes(tmp_path, format_name):
    content = encoded(Image.fromarray(quadrants()).quantize(4), format_name)
    assert np.array_equal(only_picture(opened_bytes(tmp_path / "a", content)), pillow_says(content))


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_pictures(tmp_path, mode):
    content = encoded(Image.fromarray(photo()).convert(mode), "PNG")
    picture = only_picture(opened_bytes(tmp_path / "a.png", content))
    assert np.array_equal(picture, pillow_says(content))


SIXTEEN = np.array([[0, 1, 128, 129, 257, 25700], [25828, 25829, 32768, 65278, 65406, 65535]], np.uint16)
EIGHT = np.rint(SIXTEEN / 257).astype(np.uint8)


@pytest.mark.parametrize("format_name", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path, format_name):
    content = encoded(Image.fromarray(SIXTEEN), format_name)
    picture = only_picture(opened_bytes(tmp_path / "a", content))
    assert np.array_equal(picture, np.repeat(EIGHT[:, :, None], 3, axis=2))


def test_big_endian_16_bit_tiff(tmp_path):
    image = Image.frombytes("I;16B", (6, 2), SIXTEEN.astype(">u2").tobytes())
    picture = only_picture(opened_bytes(tmp_path / "a.tif", encoded(image, "TIFF")))
    assert np.array_equal(picture[:, :, 0], EIGHT)


@pytest.mark.parametrize(("color_type", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_16_bit_color_and_alpha_are_scaled(tmp_path, color_type, channels):
    samples = np.full((4, 5, channels), 65535, np.uint16)
    samples[..., 0] = np.linspace(0, 65535, 20).reshape(4, 5)
    picture = only_picture(opened_bytes(tmp_path / "a.png", png16(samples, color_type)))
    assert np.abs(picture[..., 0].astype(int) - samples[..., 0] / 257).max() <= 1
    if channels == 3:
        assert (picture[..., 1:] == 255).all()


def test_floats_have_a_scale_only_between_0_and_1(tmp_path):
    floats = np.linspace(0, 1, 60, dtype=np.float32).reshape(6, 10)
    picture = only_picture(opened_bytes(tmp_path / "a.tif", encoded(Image.fromarray(floats), "TIFF")))
    assert np.array_equal(picture[..., 0], np.rint(floats * 255).astype(np.uint8))
    for wrong in (floats * 255, floats - 1, np.full((2, 2), np.nan, np.float32)):
        with pytest.raises(UnsupportedMedia, match="floating-point samples from"):
            only_picture(opened_bytes(tmp_path / "b.tif", encoded(Image.fromarray(wrong), "TIFF")))


def test_32_bit_integers_must_lie_within_16_bits(tmp_path):
    image = Image.fromarray(SIXTEEN.astype(np.int32))
    picture = only_picture(opened_bytes(tmp_path / "a.tif", encoded(image, "TIFF")))
    assert np.array_equal(picture[..., 0], EIGHT)
    wrong = Image.fromarray(SIXTEEN.astype(np.int32) * 9)
    with pytest.raises(UnsupportedMedia, match="32-bit integer samples from 0 to 589815"):
        only_picture(opened_bytes(tmp_path / "b.tif", encoded(wrong, "TIFF")))


def test_cmyk_tiff(tmp_path):
    content = encoded(Image.fromarray(photo()).convert("CMYK"), "TIFF")
    assert np.array_equal(only_picture(opened_bytes(tmp_path / "a.tif", content)), pillow_says(content))


def over_white(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:].astype(float) / 255
    return rgba[..., :3] * alpha + 255 * (1 - alpha)


@pytest.mark.parametrize(("format_name", "options"), [("PNG", {}), ("WEBP", {"lossless": True, "exact": True})])
def test_alpha_is_laid_over_white(tmp_path, format_name, options):
    rgba = np.dstack([photo(64, 64), np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)])
    picture = only_picture(opened_bytes(tmp_path / "a", encoded(rgba, format_name, **options)))
    assert np.abs(picture - over_white(rgba)).max() <= 1


def test_grey_with_alpha_is_laid_over_white(tmp_path):
    la = np.dstack([np.full((8, 8), 40, np.uint8), np.tile([0, 255], (8, 4)).astype(np.uint8)])
    picture = only_picture(opened_bytes(tmp_path / "a.png", encoded(Image.fromarray(la, "LA"), "PNG")))
    assert (picture[:, ::2] == 255).all()
    assert (picture[:, 1::2] == 40).all()


@pytest.mark.parametrize("format_name", ["PNG", "GIF"])
def test_a_transparent_palette_entry_is_white(tmp_path, format_name):
    image = Image.new("P", (4, 2), 0)
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.putpixel((1, 0), 1)
    picture = only_picture(opened_bytes(tmp_path / "a", encoded(image, format_name, transparency=0)))
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[0, 1].tolist() == [0, 0, 200]


def test_a_transparent_color_is_white(tmp_path):
    content = encoded(quadrants(), "PNG", transparency=(220, 30, 30))
    picture = only_picture(opened_bytes(tmp_path / "a.png", content))
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[-1, -1].tolist() == [220, 210, 40]
