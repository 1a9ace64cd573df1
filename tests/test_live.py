"""Live sources: pipes, HTTP, RTSP, cameras; what was lost is found again; secrets are never shown."""

from __future__ import annotations

import io
import itertools
import socket
import sys
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from media_made import number_in, opened, times, write_numbered, write_video
from servers_made import http_videos, rtsp_video, serving
from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.live import LiveDecoder
from visfeat.errors import BrokenMedia, MediaError, UnsupportedMedia, UsageError
from visfeat.media.address import LiveAddress, live_address
from visfeat.recipe import Recipe
from visfeat.streaming.source import live_source, source_of

PIPE = LiveAddress("-", "pipe")
TWO_THREADS = DecodeOptions(threads=2)


def transport_stream(path: Path, count: int, **options) -> bytes:
    return write_numbered(path, count, keyframe_every=10, **options).read_bytes()


@pytest.mark.parametrize("name", ["a.ts", "a.mkv", "a.flv", "a.y4m", "fragmented.mp4"])
@pytest.mark.parametrize("pieces", [(1 << 20,), (1, 700, 3), (188 * 7,)])
def test_frames_of_a_pipe_are_those_of_the_file(tmp_path, name, pieces, pipe):
    more = {"y4m": {"codec": "rawvideo"}, "mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}}}
    path = write_numbered(tmp_path / name, 30, **more.get(name.rpartition(".")[2], {"b_frames": 2}))
    decoder = LiveDecoder(PIPE, TWO_THREADS, pipe=pipe(path.read_bytes(), pieces))
    assert times(decoder) == times(opened(path))
    assert decoder.problem is None
    decoder.close()


def test_a_turned_video_is_upright_from_a_pipe_too(tmp_path):
    path = write_numbered(tmp_path / "a.mkv", 5, rotation=(90,))
    decoder = LiveDecoder(PIPE, TWO_THREADS, pipe=io.BytesIO(path.read_bytes()))
    assert (decoder.info.height, decoder.info.width) == (128, 64)
    assert [f.rgb().tobytes() for f in decoder.frames()] == [f.rgb().tobytes() for f in opened(path).frames()]


def test_an_mp4_with_its_index_last_says_what_to_send(tmp_path, pipe):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (120, 160, 3), dtype=np.uint8) for _ in range(30)]
    path = write_video(tmp_path / "a.mp4", pictures)
    with pytest.raises(BrokenMedia, match=r"index \(moov\) comes last .* send MPEG-TS"):
        LiveDecoder(PIPE, TWO_THREADS, pipe=pipe(path.read_bytes()))


@pytest.mark.parametrize("content", [b"", b"hello, world\n" * 50])
def test_what_is_no_video_is_refused(content, pipe):
    with pytest.raises(MediaError, match="^stdin: "):
        live_source(PIPE, Recipe(), pipe=pipe(content))


def test_a_closed_stdin_is_said(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="^-: stdin is closed"):
        live_source(PIPE, Recipe())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no Video4Linux")
def test_a_camera_that_is_not_there_is_an_error_with_its_name():
    with pytest.raises(MediaError, match="^/dev/video77: "):
        source_of("/dev/video77", Recipe())


def test_an_address_where_nobody_listens_is_an_error_without_its_secrets():
    with pytest.raises(MediaError) as caught:
        source_of("rtsp://me:secret@127.0.0.1:1/cam?token=secret", Recipe())
    assert str(caught.value) == "rtsp://127.0.0.1:1/cam: Connection refused"


@pytest.mark.parametrize(
    ("source", "kind", "name"),
    [
        ("-", "pipe", "stdin"),
        ("/dev/video0", "device", "/dev/video0"),
        ("rtsp://cam.example/1", "network", "rtsp://cam.example/1"),
        ("RTSP://me:s@e@cam.example:554/1?key=s#s", "network", "rtsp://cam.example:554/1"),
        ("rtsp://10.0.0.1:554/user=me&password=s&channel=1.sdp", "network", "rtsp://10.0.0.1:554/user=..."),
        ("rtsp://me:s/s@cam.example/1", "network", "rtsp://..."),
        ("http://[::1]:8080/a.ts", "network", "http://[::1]:8080/a.ts"),
        ("udp://@:1234", "network", "udp://:1234"),
    ],
)
def test_what_is_live_and_how_it_is_shown(source, kind, name):
    address = live_address(source)
    assert address is not None
    assert (address.kind, address.name) == (kind, name)


@pytest.mark.parametrize("source", ["a.mp4", "folder/", "/dev/videos", "file:///a.mp4", "s3://bucket/a.mp4", "--"])
def test_files_are_not_live(source):
    assert live_address(source) is None


def test_frames_come_by_rtsp(tmp_path):
    content, methods = transport_stream(tmp_path / "a.ts", 60), []
    with serving(rtsp_video(content, seen=methods.append)) as port:
        source = source_of(f"rtsp://me:secret@127.0.0.1:{port}/cam", Recipe(), max_frames=40)
        got = [(frame.index, number_in(frame.rgb()), frame.start_s) for frame in source.frames()]
    assert got == [(n, n, Fraction(n, 25)) for n in range(40)]
    assert source.format == "rtsp"
    assert "PLAY" in methods
    assert source.name == f"rtsp://127.0.0.1:{port}/cam"


def test_frames_come_by_udp(tmp_path):
    content, stopping = transport_stream(tmp_path / "a.ts", 60), threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            for at in itertools.cycle(range(0, len(content), 7 * 188)):
                if stopping.wait(0.002):
                    return
                sending.sendto(content[at : at + 7 * 188], ("127.0.0.1", port))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        source = source_of(f"udp://127.0.0.1:{port}", Recipe(), max_frames=10)
        frames = [(number_in(frame.rgb()), frame.start_s) for frame in source.frames()]
    finally:
        stopping.set()
        sender.join()
    assert source.format == "mpegts"
    assert [start_s for _, start_s in frames] == sorted(start_s for _, start_s in frames)
    assert len({number for number, _ in frames}) == 10


def test_an_http_source_that_breaks_off_is_found_again(tmp_path):
    content = transport_stream(tmp_path / "a.ts", 60)
    half = len(content) // 2 // 188 * 188
    lines: list[str] = []
    with serving(http_videos([(content[:half], len(content)), (content, len(content))])) as port:
        address = live_address(f"http://me:secret@127.0.0.1:{port}/cam.ts")
        assert address is not None
        source = live_source(address, Recipe(), report=lines.append, back_off_s=(0.3, 0.3))
        frames = list(source.frames())
    before = len(frames) - 60
    assert 20 <= before <= 30
    assert [frame.index for frame in frames] == list(range(before + 60))
    assert [number_in(frame.rgb()) for frame in frames] == [*range(before), *range(60)]
    first_again = frames[before].start_s
    assert first_again >= max(frames[before - 1].end_s, Fraction(3, 10))
    assert all(frame.start_s == first_again + Fraction(n, 25) for n, frame in enumerate(frames[before:]))
    assert source.problem is None
    assert any("lost and found again" in note for note in source.info.notes)
    assert len(lines) == 1
    assert "trying again" in lines[0]
    assert "secret" not in lines[0]


def test_a_source_that_stays_lost_is_given_up(tmp_path):
    content = transport_stream(tmp_path / "a.ts", 60)
    lines: list[str] = []
    with serving(http_videos([(content[: len(content) // 2], len(content))])) as port:
        address = live_address(f"http://127.0.0.1:{port}/cam.ts")
        assert address is not None
        source = live_source(address, Recipe(), report=lines.append, back_off_s=(0.01, 0.02))
        assert 20 <= len(list(source.frames())) <= 30
    assert "lost after" in (source.problem or "")
    assert [line.rpartition("; ")[2] for line in lines] == [
        "trying again in 0.01 s",
        "trying again in 0.02 s",
        "given up",
    ]


def test_an_http_source_that_comes_to_its_end_is_not_asked_again(tmp_path):
    content = transport_stream(tmp_path / "a.ts", 30)
    with serving(http_videos([(content, len(content)), (content, len(content))])) as port:
        source = source_of(f"http://127.0.0.1:{port}/cam.ts", Recipe())
        assert len(list(source.frames())) == 30
    assert source.problem is None


@pytest.mark.parametrize(
    ("bounds", "count"),
    [({"live_s": Fraction(1)}, 25), ({"max_frames": 7}, 7), ({"live_s": Fraction(1, 2), "max_frames": 99}, 13)],
)
def test_bounds_in_time_and_frames(tmp_path, bounds, count, pipe):
    content = transport_stream(tmp_path / "a.ts", 60)
    source = live_source(PIPE, Recipe(), pipe=pipe(content), **bounds)
    assert [frame.index for frame in source.frames()] == list(range(count))
    assert source.problem is None
    assert (source.info.num_frames, source.info.duration_s) == (count, count / 25)


def test_a_file_is_a_source_too(tmp_path):
    path = write_numbered(tmp_path / "a.mp4", 30)
    source = source_of(str(path), Recipe(), live_s=Fraction(1))
    assert len(list(source.frames())) == 25
    assert source.format == "mp4"
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(UnsupportedMedia, match="a.txt: no video"):
        source_of(str(tmp_path / "a.txt"), Recipe())


def test_stop_ends_the_frames(tmp_path):
    source = source_of(str(write_numbered(tmp_path / "a.mp4", 30)), Recipe())
    frames = source.frames()
    assert next(frames).index == 0
    source.stop()
    assert list(frames) == []
