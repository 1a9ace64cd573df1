"""The pictures of videos: turned, mirrored, stretched and colored as the file means them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_made import (
    UPRIGHT_CORNERS,
    corners,
    opened,
    photo,
    quadrants,
    write_numbered,
    write_video,
)
from visfeat.decode.orientation import upright
from visfeat.decode.video_stream import square_size
from visfeat.frames import Frame


@pytest.mark.parametrize(
    ("turn", "orientation"),
    [
        ((0,), 1),
        ((90,), 8),
        ((180,), 3),
        ((270,), 6),
        ((0, True, False), 2),
        ((0, False, True), 4),
        ((90, True, False), 7),
        ((90, False, True), 5),
    ],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_turned_and_mirrored_videos_come_out_upright(tmp_path, name, turn, orientation):
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    stored = upright(quadrants(64, 96), inverse)
    write_video(tmp_path / name, [stored] * 3, rotation=turn)
    decoder = opened(tmp_path / name)
    frame = next(decoder.frames())
    assert (decoder.info.height, decoder.info.width) == (64, 96)
    assert frame.rgb().shape == (64, 96, 3)
    assert corners(frame.rgb()) == UPRIGHT_CORNERS
    assert decoder.info.rotation in (0, 90, 180, 270)


@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(4, 3), (64, 128)), (Fraction(1, 2), (128, 96)), (Fraction(1), (64, 96))]
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_pixels_become_square(tmp_path, name, aspect, size):
    write_video(tmp_path / name, [quadrants(64, 96)] * 3, pixel_aspect=aspect)
    decoder = opened(tmp_path / name)
    frame = next(decoder.frames())
    assert (decoder.info.height, decoder.info.width) == size
    assert frame.rgb().shape == (*size, 3)
    assert corners(frame.rgb()) == UPRIGHT_CORNERS


def test_pixels_become_square_before_the_picture_is_turned(tmp_path):
    write_video(tmp_path / "a.mp4", [quadrants(64, 96)] * 3, pixel_aspect=Fraction(4, 3), rotation=(90,))
    decoder = opened(tmp_path / "a.mp4")
    assert (decoder.info.height, decoder.info.width) == (128, 64)
    assert next(decoder.frames()).rgb().shape == (128, 64, 3)


@given(st.integers(1, 5000), st.integers(1, 5000), st.fractions(Fraction(1, 20), 20))
def test_square_pixels_never_lose_any(height, width, aspect):
    square = square_size(height, width, aspect)
    assert square[0] >= height
    assert square[1] >= width
    assert square[0] == height or square[1] == width


def test_odd_sizes(tmp_path):
    write_video(tmp_path / "a.mkv", [photo(63, 97)] * 2, codec="ffv1", pixel_format="yuv444p")
    picture = next(opened(tmp_path / "a.mkv").frames()).rgb()
    assert picture.shape == (63, 97, 3)
    assert np.abs(picture.astype(int) - photo(63, 97)).mean() < 2


CHART = np.array(
    [[255, 255, 255], [255, 255, 0], [0, 255, 255], [0, 255, 0], [255, 0, 255], [255, 0, 0], [0, 0, 255], [0, 0, 0],
     [128, 128, 128], [200, 120, 60]]
)  # fmt: skip
MATRICES = {  # name: Kr, Kb, FFmpeg's number; ITU-R BT.601, BT.709, BT.2020
    "bt601": (0.299, 0.114, 6),
    "bt709": (0.2126, 0.0722, 1),
    "bt2020": (0.2627, 0.0593, 9),
}
PATCH_PX = 32


def ycbcr(rgb: np.ndarray, matrix: str, *, full: bool, bits: int) -> list[np.ndarray]:
    """The planes (4:2:0) of colors by the formulas of the ITU."""
    kr, kb, _ = MATRICES[matrix]
    r, g, b = np.moveaxis(rgb / 255, -1, 0)
    y = kr * r + (1 - kr - kb) * g + kb * b
    cb, cr = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    top, scale = 2**bits - 1, 2 ** (bits - 8)
    planes = (
        [y * top, cb * top + 2 ** (bits - 1), cr * top + 2 ** (bits - 1)]
        if full
        else [(16 + 219 * y) * scale, (128 + 224 * cb) * scale, (128 + 224 * cr) * scale]
    )
    whole = [np.clip(np.rint(plane), 0, top).astype(np.uint16 if bits > 8 else np.uint8) for plane in planes]
    return [whole[0], whole[1][::2, ::2], whole[2][::2, ::2]]


def write_chart(path: Path, matrix: str | None, *, full: bool, bits: int, encode_as: str = "bt601") -> None:
    """A lossless video of the color chart, tagged with its matrix and range, or not tagged at all."""
    rgb = np.repeat(np.repeat(CHART[None], PATCH_PX, 0), PATCH_PX, 1)
    planes = ycbcr(rgb, matrix or encode_as, full=full, bits=bits)
    height, width = rgb.shape[:2]
    pixel_format = "yuv420p" if bits == 8 else "yuv420p10le"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        frame = av.VideoFrame(width, height, pixel_format)
        for target, plane in zip(frame.planes, planes, strict=True):
            rows = np.zeros((target.height, target.line_size // plane.itemsize), plane.dtype)
            rows[:, : target.width] = plane
            target.update(rows)
        for tagged in (stream.codec_context, frame) if matrix else ():
            tagged.colorspace = MATRICES[matrix][2]
            tagged.color_range = 2 if full else 1
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def chart_error(path: Path) -> int:
    picture = next(opened(path).frames()).rgb()
    return int(np.abs(picture[PATCH_PX // 2, PATCH_PX // 2 :: PATCH_PX].astype(int) - CHART).max())


@pytest.mark.parametrize("matrix", list(MATRICES))
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10])
def test_colors_follow_matrix_and_range(tmp_path, matrix, full, bits):
    write_chart(tmp_path / "a.mp4", matrix, full=full, bits=bits)
    assert chart_error(tmp_path / "a.mp4") <= 3


def test_untagged_colors_are_bt601_limited(tmp_path):
    write_chart(tmp_path / "a.mp4", None, full=False, bits=8)
    assert chart_error(tmp_path / "a.mp4") <= 3
    write_chart(tmp_path / "b.mp4", None, full=False, bits=8, encode_as="bt709")
    assert chart_error(tmp_path / "b.mp4") > 20


def test_sizes_are_converted_side_by_side_and_once(tmp_path):
    path = write_numbered(tmp_path / "a.mp4", 3)
    for frame, again in zip(opened(path).frames(), opened(path).frames(), strict=True):
        shared = again.converted_once()
        assert frame.rgb_near((27, 48)).shape == (27, 48, 3)
        assert np.array_equal(shared.rgb_near((27, 48)), frame.rgb_near((27, 48)))
        assert np.array_equal(shared.rgb(), frame.rgb())
        assert shared.rgb() is shared.rgb()
        assert shared.rgb_near((27, 48)) is shared.rgb_near((27, 48))


def test_a_decoder_that_cannot_scale_gives_full_size():
    picture = np.zeros((9, 16, 3), np.uint8)
    frame = Frame(0, Fraction(0), Fraction(1), True, lambda: picture)
    assert frame.rgb_near((27, 48)) is picture
    assert frame.converted_once().rgb_near((27, 48)) is picture
