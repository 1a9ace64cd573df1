"""Images that are refused, each with its reason, before or while they are decoded."""

from __future__ import annotations

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
    opened,
    opened_bytes,
    photo,
    png_chunk,
    quadrants,
)
from visfeat.decode import DecodeOptions, open_decoder
from visfeat.decode.orientation import upright
from visfeat.errors import BrokenMedia, MediaError, TooManyPixels, UnsupportedMedia
from visfeat.media import Kind, MediaItem


@pytest.mark.parametrize("at", [0.2, 0.5, 0.9])
def test_one_wrong_bit_in_a_png_is_noticed(tmp_path, at):
    content = bytearray(encoded(photo(), "PNG"))
    content[int(len(content) * at)] ^= 8
    with pytest.raises(BrokenMedia):
        only_picture(opened_bytes(tmp_path / "a.png", bytes(content)))


def test_exif_behind_the_pixels_of_a_png_counts(tmp_path):
    content = encoded(upright(quadrants(), 8), "PNG")
    exif = struct.pack("<4sIHHHIHHI", b"II*\0", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    end = content.index(b"IEND") - 4
    decoder = opened_bytes(tmp_path / "a.png", content[:end] + png_chunk(b"eXIf", exif) + content[end:])
    assert decoder.info.width == 60
    assert corners(only_picture(decoder)) == UPRIGHT_CORNERS


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
@pytest.mark.filterwarnings("ignore:Truncated File Read", "ignore:Corrupt EXIF")
def test_truncated_files_are_refused(tmp_path, format_name, kept):
    content = encoded(photo(), format_name)
    with pytest.raises(BrokenMedia):
        only_picture(opened_bytes(tmp_path / "a", content[: int(len(content) * kept)]))


def lying_bmp(height: int, width: int) -> bytes:
    """A BMP whose header promises more than the file holds."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 100, 0, 0, 54) + header + bytes(100)


def lying_png(height: int, width: int) -> bytes:
    """A PNG of 45 bytes that promises any number of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"")


@pytest.mark.parametrize("make", [lying_bmp, lying_png])
def test_too_many_pixels_are_refused_by_the_header(tmp_path, make):
    with pytest.raises(TooManyPixels, match=r"20000 x 30000 = 600,000,000 pixels, more than --max-pixels 250,000,000"):
        opened_bytes(tmp_path / "a", make(30000, 20000))


def test_the_limit_is_exact_and_the_users(tmp_path):
    for format_name in ("JPEG", "PNG"):
        content = encoded(photo(30, 40), format_name)
        only_picture(opened_bytes(tmp_path / "a", content, max_pixels=1200))
        with pytest.raises(TooManyPixels):
            opened_bytes(tmp_path / "a", content, max_pixels=1199)


def test_pillows_own_limit_gives_way_to_ours(tmp_path):
    content = encoded(Image.new("1", (20000, 10000)), "PNG")  # twice Pillow's limit and more
    decoder = opened_bytes(tmp_path / "a.png", content)
    assert decoder.info.height * decoder.info.width == 200_000_000
    assert Image.MAX_IMAGE_PIXELS is not None


def test_an_unknown_format_is_refused():
    with pytest.raises(UnsupportedMedia, match="no decoder reads xyz"):
        open_decoder(MediaItem("/x/a.xyz", 3, 0, Kind.IMAGE, "xyz"), b"xyz", DecodeOptions())


@given(st.sampled_from(["jpeg", "png", "webp", "gif", "bmp", "tiff", "avif", "jp2", "pnm", "qoi"]), st.binary())
@pytest.mark.filterwarnings("ignore")
def test_noise_is_refused_as_media_never_otherwise(format_name, noise):
    with pytest.raises(MediaError):
        only_picture(open_decoder(MediaItem("/x/a", 0, 0, Kind.IMAGE, format_name), noise))


def test_content_may_be_left_out(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(quadrants(), "PNG"))
    item = MediaItem(str(tmp_path / "a.png"), 0, 0, Kind.IMAGE, "png")
    assert np.array_equal(only_picture(open_decoder(item)), quadrants())
    (tmp_path / "a.png").unlink()
    with pytest.raises(MediaError, match="No such file"):
        open_decoder(item)


def test_closing_twice_is_fine(tmp_path):
    for format_name in ("JPEG", "PNG"):
        (tmp_path / "a").write_bytes(encoded(quadrants(), format_name))
        decoder = opened(tmp_path / "a")
        decoder.close()
        decoder.close()
