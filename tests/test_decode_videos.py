"""Videos: every frame's number read back from its pixels at its exact time; streams and refusals."""

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
    number_in,
    numbered,
    opened,
    opened_bytes,
    steady,
    times,
    write_numbered,
    write_sound,
    write_video,
)
from visfeat.decode import Decoder
from visfeat.decode.video_times import VideoClock
from visfeat.errors import MediaError, UnsupportedMedia

COUNT = 30


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
