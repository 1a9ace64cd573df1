"""Images: exact pixels, every mode, all orientations, and refusals with a reason."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from media_made import UPRIGHT_CORNERS, corners, encoded, only_picture, opened, opened_bytes, photo, quadrants
from visfeat.decode import DecodeOptions, open_decoder
from visfeat.decode.jpeg import reduced_size
from visfeat.decode.orientation import clockwise_degrees, exif_orientation, jpeg_orientation, upright
from visfeat.errors import BrokenMedia, MediaError, TooManyPixels, UnsupportedMedia
from visfeat.media import Kind, MediaItem

STORED_AS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
"""Orientation -> the turn that makes an upright picture into the stored one: its inverse."""


def pillow_says(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png16(samples: np.ndarray, color_type: int) -> bytes:
    """A 16-bit PNG made by hand; samples uint16 (H, W) or (H, W, C)."""
    height, width = samples.shape[:2]
    rows = samples.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


# JPEG


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


# Orientation


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


# Modes


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


# Animations

DURATIONS_MS = [100, 250, 40, 1000]


def animation(format_name: str, **options) -> bytes:
    frames = [Image.new("RGB", (20, 10), (60 * n, 10, 0)) for n in range(4)]
    more = {"lossless": True} if format_name == "WEBP" else {}
    return encoded(
        frames[0], format_name, save_all=True, append_images=frames[1:], duration=DURATIONS_MS, **more, **options
    )


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_its_first_frame_by_default(tmp_path, format_name):
    picture = only_picture(opened_bytes(tmp_path / "a", animation(format_name)))
    assert picture[0, 0].tolist() == [0, 10, 0]


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_as_a_video_has_exact_times(tmp_path, format_name):
    decoder = opened_bytes(tmp_path / "a", animation(format_name), animations="video")
    frames = list(decoder.frames())
    assert decoder.info.num_frames == len(frames) == 4
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    starts = [Fraction(sum(DURATIONS_MS[:n]), 1000) for n in range(5)]
    assert [(frame.start_s, frame.end_s) for frame in frames] == list(itertools.pairwise(starts))
    reds = [int(frame.rgb()[5, 5, 0]) for frame in frames]  # read after all frames were decoded
    assert np.abs(np.array(reds) - [0, 60, 120, 180]).max() <= 6


def test_a_default_picture_is_not_part_of_the_animation(tmp_path):
    decoder = opened_bytes(tmp_path / "a.png", animation("PNG", default_image=True), animations="video")
    frames = list(decoder.frames())
    assert [int(frame.rgb()[0, 0, 0]) for frame in frames] == [60, 120, 180]


def test_frames_of_no_duration_last_a_tenth_of_a_second(tmp_path):
    frames = [Image.new("RGB", (20, 10), (60 * n, 10, 0)) for n in range(3)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    decoder = opened_bytes(tmp_path / "a.gif", content, animations="video")
    assert [frame.start_s for frame in decoder.frames()] == [0, Fraction(1, 10), Fraction(2, 10)]


def test_a_still_picture_stays_one_where_animations_are_videos(tmp_path):
    only_picture(opened_bytes(tmp_path / "a.gif", encoded(quadrants(), "GIF"), animations="video"))


def test_a_broken_animation_keeps_the_frames_before(tmp_path):
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(6)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    decoder = opened_bytes(tmp_path / "a.gif", content[: len(content) * 6 // 10], animations="video")
    kept = list(decoder.frames())
    assert 1 <= len(kept) < 6
    assert decoder.problem is not None or decoder.info.num_frames == len(kept)


# Refusals


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
    decoder = opened_bytes(tmp_path / "a.png", content[:end] + chunk(b"eXIf", exif) + content[end:])
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
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


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
