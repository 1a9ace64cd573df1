"""Videos that are cut short or damaged: what is kept is in its place, what is lost is said."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from media_made import (
    numbered,
    opened,
    opened_bytes,
    quadrants,
    steady,
    times,
    write_numbered,
    write_video,
)
from visfeat.decode import open_decoder
from visfeat.errors import BrokenMedia, MediaError, TooManyPixels
from visfeat.media import Kind, MediaItem, uri_of


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


def test_the_limit_counts_the_pixels_that_are_seen(tmp_path):
    path = write_video(tmp_path / "a.mp4", [quadrants(72, 120)] * 3)  # stored as 80 x 128
    assert len(list(opened(path, max_pixels=72 * 120).frames())) == 3
    wide = write_video(tmp_path / "b.mp4", [quadrants(72, 120)] * 3, pixel_aspect=Fraction(20))
    with pytest.raises(TooManyPixels, match="2400 x 72"):
        opened(wide, max_pixels=72 * 120)


def test_a_missing_file_is_a_media_error(tmp_path):
    with pytest.raises(MediaError, match="No such file"):
        open_decoder(MediaItem(uri_of(tmp_path / "a.mp4"), 0, 0, Kind.VIDEO, "mp4"))
