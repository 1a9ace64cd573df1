"""Videos: every frame's number read back from its pixels, exact times, geometry and colors as the file means them."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
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
    number_in,
    numbered,
    opened,
    opened_bytes,
    photo,
    quadrants,
    write_numbered,
    write_sound,
    write_video,
)
from visfeat.decode import Decoder, open_decoder
from visfeat.decode.orientation import upright
from visfeat.decode.video_stream import square_size
from visfeat.decode.video_times import VideoClock
from visfeat.errors import BrokenMedia, MediaError, TooManyPixels, UnsupportedMedia
from visfeat.media import Kind, MediaItem, uri_of

COUNT = 30


def times(decoder: Decoder) -> list[tuple[int, int, Fraction, Fraction]]:
    """Index, number in the pixels, start and end of every frame."""
    return [(frame.index, number_in(frame.rgb()), frame.start_s, frame.end_s) for frame in decoder.frames()]


def steady(count: int, period: Fraction) -> list[tuple[int, int, Fraction, Fraction]]:
    return [(n, n, n * period, (n + 1) * period) for n in range(count)]


# Times


@pytest.mark.parametrize(
    ("name", "codec", "options", "reported"),
    [
        ("a.mp4", "libx264", {}, "h264"),
        ("a.mp4", "libx264", {"b_frames": 3}, "h264"),
        ("a.mp4", "libx264", {"pixel_format": "yuv420p10le", "b_frames": 2}, "h264"),
        ("a.mov", "libx264", {"b_frames": 3}, "h264"),
        ("a.mkv", "libx264", {"b_frames": 3}, "h264"),
        ("a.ts", "libx264", {"b_frames": 3}, "h264"),
        ("a.m2ts", "libx264", {"b_frames": 3}, "h264"),
        ("a.flv", "libx264", {"b_frames": 3}, "h264"),
        ("a.avi", "libx264", {}, "h264"),
        ("a.avi", "libx264", {"b_frames": 3}, "h264"),
        ("a.h264", "libx264", {"b_frames": 3}, "h264"),
        ("a.mp4", "libx265", {"b_frames": 3}, "hevc"),
        ("a.ts", "libx265", {"b_frames": 3}, "hevc"),
        ("a.mp4", "libx265", {"pixel_format": "yuv420p10le"}, "hevc"),
        ("a.mp4", "libsvtav1", {}, "av1"),
        ("a.webm", "libvpx-vp9", {}, "vp9"),
        ("a.webm", "libvpx", {}, "vp8"),
        ("a.avi", "mpeg4", {"b_frames": 2}, "mpeg4"),
        ("a.mp4", "mpeg4", {"b_frames": 2}, "mpeg4"),
        ("a.mpg", "mpeg2video", {"b_frames": 2}, "mpeg2video"),
        ("a.mkv", "ffv1", {}, "ffv1"),
        ("a.avi", "mjpeg", {"pixel_format": "yuvj420p"}, "mjpeg"),
    ],
)
def test_frames_carry_their_exact_times(tmp_path, name, codec, options, reported):
    write_numbered(tmp_path / name, COUNT, codec=codec, **options)
    decoder = opened(tmp_path / name)
    assert decoder.name == "pyav"
    assert times(decoder) == steady(COUNT, Fraction(1, 25))
    assert decoder.problem is None
    assert (decoder.info.codec, decoder.info.height, decoder.info.width) == (reported, 64, 128)
    assert decoder.info.average_fps == 25


@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "a.avi"])
def test_ntsc_times_are_exact(tmp_path, name):
    rate = Fraction(30000, 1001)
    write_numbered(tmp_path / name, COUNT, rate=rate, b_frames=2)
    decoder = opened(tmp_path / name)
    assert times(decoder) == steady(COUNT, 1 / rate)
    assert decoder.info.average_fps == rate


def test_matroska_times_are_the_milliseconds_that_it_keeps(tmp_path):
    write_numbered(tmp_path / "a.mkv", COUNT, rate=Fraction(30000, 1001))
    starts = [start for _, _, start, _ in times(opened(tmp_path / "a.mkv"))]
    assert starts == [Fraction((n * 1001 + 15) // 30, 1000) for n in range(COUNT)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("b_frames", [0, 3])
def test_variable_frame_rates(tmp_path, name, b_frames):
    gaps = [10, 40, 40, 500, 7, 33, 1000, 20] * 4
    stamps = [0, *itertools.accumulate(gaps)][:COUNT]
    write_numbered(tmp_path / name, COUNT, stamps=stamps, time_base=Fraction(1, 1000), b_frames=b_frames)
    found = times(opened(tmp_path / name))
    assert [(index, number, start) for index, number, start, _ in found] == [
        (n, n, Fraction(stamps[n], 1000)) for n in range(COUNT)
    ]
    assert [end for *_, end in found][:-1] == [start for _, _, start, _ in found][1:]


@pytest.mark.parametrize(("name", "b_frames"), [("a.mp4", 0), ("a.mkv", 2), ("a.ts", 0), ("a.mov", 2)])
def test_times_count_from_the_first_displayed_frame(tmp_path, name, b_frames):
    stamps = [n + 100 for n in range(COUNT)]
    write_numbered(tmp_path / name, COUNT, stamps=stamps, b_frames=b_frames)
    decoder = opened(tmp_path / name)
    assert times(decoder) == steady(COUNT, Fraction(1, 25))
    assert decoder.info.start_time_s is not None
    assert decoder.info.start_time_s >= 4
    assert decoder.problem is None  # a late start is no missing end


def test_h264_in_avi_takes_times_from_the_output_order_and_says_so(tmp_path):
    write_numbered(tmp_path / "a.avi", COUNT, b_frames=3)
    assert opened(tmp_path / "a.avi").info.notes == ("times derived from the output order",)
    write_numbered(tmp_path / "b.avi", COUNT, b_frames=0)
    assert opened(tmp_path / "b.avi").info.notes == ()


@pytest.mark.parametrize("threads", [0, 1, 2, 4])
def test_threads_change_nothing(tmp_path, threads):
    write_numbered(tmp_path / "a.mp4", COUNT, b_frames=3)
    assert times(opened(tmp_path / "a.mp4", threads=threads)) == steady(COUNT, Fraction(1, 25))


def test_one_frame_is_a_video_too(tmp_path):
    write_numbered(tmp_path / "a.mp4", 1)
    assert times(opened(tmp_path / "a.mp4")) == [(0, 0, 0, Fraction(1, 25))]


def test_keyframes_are_marked(tmp_path):
    write_numbered(tmp_path / "a.mp4", COUNT, keyframe_every=10, options={"sc_threshold": "0"})
    assert [frame.index for frame in opened(tmp_path / "a.mp4").frames() if frame.is_keyframe] == [0, 10, 20]


def test_pixels_may_be_asked_for_later_again_and_elsewhere(tmp_path):
    write_numbered(tmp_path / "a.mp4", 12)
    decoder = opened(tmp_path / "a.mp4")
    frames = list(decoder.frames())
    decoder.close()
    decoder.close()
    assert [number_in(frame.rgb()) for frame in reversed(frames)] == list(range(11, -1, -1))
    first, again = frames[3].rgb(), frames[3].rgb()
    first[:] = 0  # a fresh array each time
    assert number_in(again) == 3
    assert again.flags.c_contiguous
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(number_in(frames[5].rgb())))
    thread.start()
    thread.join()
    assert found == [5]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_flat(tmp_path):
    def resident_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    still = [np.full((256, 384, 3), n % 200, np.uint8) for n in range(40)]
    write_video(tmp_path / "a.mp4", still * 10, options={"preset": "ultrafast"})
    decoder = opened(tmp_path / "a.mp4", threads=1)
    frames = decoder.frames()
    for frame in itertools.islice(frames, 60):
        frame.rgb()
    before = resident_bytes()
    for frame in frames:
        frame.rgb()
    assert resident_bytes() - before < 20e6  # all frames together would take 100 MB


@given(
    st.lists(st.integers(-(10**6), 10**6) | st.none(), min_size=1, max_size=30),
    st.integers(1, 90000),
    st.fractions(Fraction(1, 120), 2),
)
def test_the_clock_never_runs_backward(stamps, ticks, period):
    clock = VideoClock(Fraction(1, ticks), period, by_order=False)
    starts = [clock.start_of(stamp) for stamp in stamps]
    assert starts[0] == 0
    assert starts == sorted(starts)
    if None not in stamps and stamps == sorted(stamps):
        assert starts == [Fraction(stamp - stamps[0], ticks) for stamp in stamps]
        assert clock.notes == ()


def test_a_clock_that_starts_anew_goes_on():
    clock = VideoClock(Fraction(1, 10), Fraction(1, 10), by_order=False)
    starts = [clock.start_of(stamp) for stamp in [100, 101, 102, 0, 1, 2]]
    assert starts == [Fraction(n, 10) for n in range(6)]
    assert clock.notes == ("its clock starts anew at 0.2 s",)


# Geometry


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


# Colors

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


# Streams


def write_streams(path: Path, sizes: list[tuple[int, int]]) -> Path:
    """A video stream for each size, filled with its index times 60."""
    with av.open(str(path), "w") as container:
        streams = []
        for height, width in sizes:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            streams.append(stream)
        for index, stream in enumerate(streams):
            for pts in range(3):
                grey = np.full((stream.height, stream.width, 3), index * 60, np.uint8)
                frame = av.VideoFrame.from_ndarray(grey, "rgb24")
                frame.pts = pts
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def grey_of(decoder: Decoder) -> int:
    return round(float(next(decoder.frames()).rgb().mean()) / 60)


def test_the_stream_with_most_pixels_is_read_the_first_of_equals(tmp_path):
    path = write_streams(tmp_path / "a.mkv", [(32, 32), (64, 64), (64, 64), (48, 48)])
    assert grey_of(opened(path)) == 1


def test_another_stream_by_its_index(tmp_path):
    path = write_streams(tmp_path / "a.mkv", [(32, 32), (64, 64), (48, 48)])
    for index, side in enumerate((32, 64, 48)):
        decoder = opened(path, stream=index)
        assert (decoder.info.height, grey_of(decoder)) == (side, index)
    with pytest.raises(MediaError, match=r"it has 3 video streams, so there is no --stream 3"):
        opened(path, stream=3)


def test_sound_alone_has_no_video_stream(tmp_path):
    path = write_sound(tmp_path / "a.mp4")
    with pytest.raises(UnsupportedMedia, match="no video stream"):
        opened(path)


def test_an_unknown_codec_is_refused(tmp_path):
    content = write_numbered(tmp_path / "a.mkv", 3).read_bytes()
    with pytest.raises(UnsupportedMedia, match="codec is unknown"):
        opened_bytes(tmp_path / "b.mkv", content.replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XYZ"))


@pytest.mark.parametrize("number", [16, 18])
def test_hdr_is_noted(tmp_path, number):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p10le"
        stream.codec_context.color_trc = number
        frame = av.VideoFrame.from_ndarray(numbered(3), "rgb24").reformat(format="yuv420p10le")
        frame.pts, frame.color_trc = 0, number
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert any("HDR" in note for note in opened(tmp_path / "a.mp4").info.notes)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text_go_through(tmp_path):
    plain = write_numbered(tmp_path / "a.mp4", 3)
    raw = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    os.rename(plain, raw)
    assert times(opened(Path(os.fsdecode(raw)))) == steady(3, Fraction(1, 25))


def test_several_videos_at_once_in_threads(tmp_path):
    paths = [write_numbered(tmp_path / f"{n}.mp4", 20 + n, b_frames=2) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda path: times(opened(path, threads=1)), paths))
    assert found == [steady(20 + n, Fraction(1, 25)) for n in range(4)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.h264"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_the_measured_duration_is_where_the_last_frame_ends(tmp_path, name, b_frames):
    write_numbered(tmp_path / name, 17, b_frames=b_frames)
    decoder = opened(tmp_path / name)
    assert decoder.measure_duration_s() == Fraction(17, 25)
    assert times(decoder)[-1][3] == Fraction(17, 25)


# Damage


def damaged(content: bytes, at: float, size: int = 300) -> bytes:
    start = int(len(content) * at)
    noise = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8).tobytes()
    return content[:start] + noise + content[start + size :]


def moving(count: int) -> list[np.ndarray]:
    """Numbered frames with enough noise that bytes are spread over all of them."""
    rng = np.random.default_rng(0)
    return [
        np.clip(numbered(n).astype(int) + rng.integers(-16, 16, (64, 128, 1)), 0, 255).astype(np.uint8)
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    ways = {
        "a.mp4": {"container_options": {"movflags": "faststart"}, "b_frames": 2},
        "a.mkv": {"b_frames": 2},
        "a.ts": {"b_frames": 2},
        "hevc.mp4": {"codec": "libx265", "container_options": {"movflags": "faststart"}},
        "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    }
    return {
        name: write_video(folder / name, moving(150), keyframe_every=25, **way).read_bytes()
        for name, way in ways.items()
    }


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "hevc.mp4", "vp9.webm"])
def test_a_truncated_video_keeps_its_frames_and_says_where_it_ends(tmp_path, videos, name):
    content = videos[name]
    decoder = opened_bytes(tmp_path / name, content[: len(content) // 2])
    found = times(decoder)
    assert 40 < len(found) < 110
    assert found[:30] == steady(30, Fraction(1, 25))
    assert all(number == round(start * 25) for _, number, start, _ in found)
    assert decoder.problem is not None
    assert "where its header promises 6.0 s" in decoder.problem


def test_a_truncated_transport_stream_is_as_long_as_it_is(tmp_path, videos):
    content = videos["a.ts"]
    found = times(opened_bytes(tmp_path / "a.ts", content[: len(content) // 2]))
    assert all(number == round(start * 25) for _, number, start, _ in found)
    assert 40 < len(found) < 110


@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "hevc.mp4"])
@pytest.mark.parametrize("threads", [0, 1])
def test_damage_in_the_middle_costs_the_frames_up_to_the_next_keyframe(tmp_path, videos, name, threads):
    decoder = opened_bytes(tmp_path / name, damaged(videos[name], 0.5), threads=threads)
    found = times(decoder)
    assert 100 <= len(found) < 150
    assert [index for index, *_ in found] == list(range(len(found)))
    misplaced = [number for _, number, start, _ in found if number != round(start * 25)]
    assert len(misplaced) <= 3  # a codec may conceal damage without a word, but not for long
    assert found[-1][2] > 5
    assert decoder.problem is not None
    assert "could not be decoded from" in decoder.problem
    gap = next(n for n in range(len(found) - 1) if found[n + 1][2] - found[n][2] > Fraction(1, 25))
    assert found[gap][3] == found[gap][2] + Fraction(1, 25)  # nothing is known of the time after it


def test_a_damaged_beginning_does_not_shift_the_times(tmp_path, videos):
    content = videos["a.mp4"]
    start = content.index(b"mdat") + 4
    decoder = opened_bytes(tmp_path / "a.mp4", content[:start] + bytes(6000) + content[start + 6000 :])
    found = times(decoder)
    assert 20 <= found[0][1] <= 26
    assert found == [
        (n, first, Fraction(first, 25), Fraction(first + 1, 25)) for n, first in enumerate(range(found[0][1], 150))
    ]
    assert decoder.info.start_time_s == 0
    assert decoder.problem is not None
    assert "packets could not be decoded from 0.0 s on" in decoder.problem


def test_an_mp4_without_its_index_is_refused(tmp_path):
    content = write_numbered(tmp_path / "a.mp4", 30).read_bytes()
    with pytest.raises(BrokenMedia, match=r"index \(moov\) is missing"):
        opened_bytes(tmp_path / "b.mp4", content[: len(content) // 2])


def test_a_header_without_frames_is_refused(tmp_path):
    content = write_numbered(tmp_path / "a.mkv", 30).read_bytes()
    with pytest.raises(BrokenMedia):
        opened_bytes(tmp_path / "b.mkv", content[:600])


def test_a_video_that_nothing_can_be_decoded_of_is_refused(tmp_path, videos):
    content = videos["a.mp4"]
    start = content.index(b"mdat") + 4
    with pytest.raises(BrokenMedia, match="could not be decoded"):
        opened_bytes(tmp_path / "a.mp4", content[:start] + bytes(len(content) - start))


def test_too_many_pixels_are_refused_by_the_header(tmp_path):
    path = write_numbered(tmp_path / "a.mp4", 2)
    opened(path, max_pixels=64 * 128).close()
    with pytest.raises(TooManyPixels, match=r"128 x 64 = 8,192 pixels"):
        opened(path, max_pixels=64 * 128 - 1)


def test_a_missing_file_is_a_media_error(tmp_path):
    with pytest.raises(MediaError, match="No such file"):
        open_decoder(MediaItem(uri_of(tmp_path / "a.mp4"), 0, 0, Kind.VIDEO, "mp4"))
