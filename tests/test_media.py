"""Finding, sniffing, reading: the right items, the right kinds, the right reasons."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_made import encoded, photo, quadrants, write_numbered, write_sound
from visfeat.errors import BrokenMedia, MediaError, UnsupportedMedia, UsageError
from visfeat.media import Kind, MediaItem, find_media, identify, path_of, read_list, sniff, uri_of


def names(folder: Path, *sources: str | Path, listed: list[str] | None = None) -> list[str]:
    return [os.path.relpath(item.path, folder) for item in find_media(sources, listed=listed or [])]


def touch(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(path.encode())


def test_a_folder_is_walked_by_name_without_hidden_files(tmp_path):
    touch(tmp_path, "b.jpg", "a/2.jpg", "a/10.jpg", "c/d/e.mp4", ".hidden.jpg", ".git/x.jpg")
    assert names(tmp_path, tmp_path) == ["a/10.jpg", "a/2.jpg", "b.jpg", "c/d/e.mp4"]


def test_items_carry_what_stat_says_and_no_kind(tmp_path):
    touch(tmp_path, "a.jpg")
    (item,) = find_media([tmp_path])
    about = (tmp_path / "a.jpg").stat()
    assert item == MediaItem(str(tmp_path / "a.jpg"), about.st_size, about.st_mtime_ns)


def test_each_uri_comes_once_however_often_it_is_named(tmp_path):
    touch(tmp_path, "a/x.jpg", "a/y.jpg")
    found = names(tmp_path, tmp_path / "a/y.jpg", tmp_path, f"{tmp_path}/a/*.jpg", listed=[str(tmp_path / "a/x.jpg")])
    assert found == ["a/y.jpg", "a/x.jpg"]


def test_two_files_of_one_stem_are_two_items(tmp_path):
    touch(tmp_path, "a/cat.jpg", "b/cat.jpg", "cat.jpg", "cat.png")
    assert len(names(tmp_path, tmp_path)) == 4


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["1.jpg"]),
        ("**/*.jpg", ["1.jpg", "a/2.jpg", "a/b/3.jpg"]),
        ("a/**", ["a/2.jpg", "a/b/3.jpg", "a/b/4.png"]),
        ("**/b/*", ["a/b/3.jpg", "a/b/4.png"]),
        ("a/?.jpg", ["a/2.jpg"]),
        ("[a]/*.jpg", ["a/2.jpg"]),
        ("*", ["1.jpg", "a/2.jpg", "a/b/3.jpg", "a/b/4.png"]),
    ],
)
def test_globs(tmp_path, pattern, expected):
    touch(tmp_path, "1.jpg", "a/2.jpg", "a/b/3.jpg", "a/b/4.png")
    assert sorted(names(tmp_path, f"{tmp_path}/{pattern}")) == expected


def test_a_relative_glob_starts_where_the_user_stands(tmp_path, monkeypatch):
    touch(tmp_path, "a/1.jpg", "2.jpg")
    monkeypatch.chdir(tmp_path)
    assert sorted(names(tmp_path, "**/*.jpg")) == ["2.jpg", "a/1.jpg"]


def test_a_path_that_exists_is_no_pattern(tmp_path):
    touch(tmp_path, "a[1].jpg", "a1.jpg")
    assert names(tmp_path, f"{tmp_path}/a[1].jpg") == ["a[1].jpg"]


def test_a_source_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere: no such file or folder"):
        find_media([tmp_path / "nowhere"])
    with pytest.raises(UsageError, match=r"nothing matches"):
        find_media([f"{tmp_path}/*.jpg"])


def test_stores_are_passed_over_in_folders_and_refused_as_sources(tmp_path):
    touch(tmp_path, "a.jpg", "features.vf/visfeat-store.json", "features.vf/data.bin", "album.vf/b.jpg")
    touch(tmp_path, "other/visfeat-store.json", "other/data.bin")
    assert names(tmp_path, tmp_path) == ["a.jpg", "album.vf/b.jpg"]
    with pytest.raises(UsageError, match="feature store"):
        find_media([tmp_path / "features.vf"])


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_linked_folder_is_entered_once_and_loops_end(tmp_path):
    touch(tmp_path, "photos/1.jpg", "elsewhere/2.jpg")
    (tmp_path / "photos/loop").symlink_to(tmp_path / "photos")
    (tmp_path / "photos/more").symlink_to(tmp_path / "elsewhere")
    assert names(tmp_path, tmp_path / "photos") == ["photos/1.jpg", "photos/more/2.jpg"]
    assert names(tmp_path, f"{tmp_path}/photos/**/*.jpg") == ["photos/1.jpg", "photos/more/2.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_dangling_link_leaves_a_trace(tmp_path):
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (item,) = find_media([tmp_path])
    assert item.size_bytes == 0
    with pytest.raises(MediaError, match="leads nowhere"):
        identify(item)


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders there")
def test_pipes_and_sockets_are_ignored_and_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "socket.mp4"))
        found = list(find_media([tmp_path]))
    assert [item.kind for item in found] == [Kind.IGNORED, Kind.IGNORED]
    assert [identify(item) for item in found] == [(item, None) for item in found]  # would hang if it opened the pipe
    assert identify(MediaItem(found[0].uri, 0, 0))[0].kind is Kind.IGNORED


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission_is_a_reason(tmp_path):
    touch(tmp_path, "a.jpg", "closed/b.jpg")
    (tmp_path / "a.jpg").chmod(0)
    (tmp_path / "closed").chmod(0)
    try:
        items = list(find_media([tmp_path]))
        with pytest.raises(MediaError, match="permission"):
            identify(items[0])
        with pytest.raises(MediaError, match="cannot be listed"):
            identify(items[1])
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_listed_paths_are_literal_and_may_be_missing(tmp_path):
    touch(tmp_path, "a.jpg", "f/b.jpg")
    assert names(tmp_path, listed=[f"{tmp_path}/*.jpg", f"{tmp_path}/f"]) == ["*.jpg", "f/b.jpg"]


def test_lists_from_a_file_and_from_standard_input(tmp_path, monkeypatch):
    (tmp_path / "list.txt").write_bytes("a.jpg\r\n\nm\xfcll \u00e9.mp4\n".encode())
    expected = ["a.jpg", "m\xfcll \u00e9.mp4"]
    assert list(read_list(tmp_path / "list.txt")) == expected
    with open(tmp_path / "list.txt") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert list(read_list("-")) == expected
    with pytest.raises(UsageError, match="cannot be read"):
        read_list(tmp_path / "none.txt")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text_go_through(tmp_path):
    raw = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    with open(raw, "wb") as file:
        file.write(encoded(quadrants(), "JPEG"))
    (item,) = find_media([tmp_path])
    assert item.uri.startswith("file://")
    assert item.uri.endswith("caf%E9.jpg")
    assert os.fsencode(item.path) == raw
    assert identify(item)[0].format == "jpeg"


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1))
def test_uris_lead_back_to_their_paths(name):
    path = os.path.abspath(f"/x/{name}")
    assert path_of(uri_of(path)) == path


IMAGES = [
    ("JPEG", {}, "jpeg"),
    ("PNG", {}, "png"),
    ("WEBP", {}, "webp"),
    ("GIF", {}, "gif"),
    ("BMP", {}, "bmp"),
    ("TIFF", {}, "tiff"),
    ("TIFF", {"big_tiff": True}, "tiff"),
    ("AVIF", {}, "avif"),
    ("JPEG2000", {}, "jp2"),
    ("PPM", {}, "pnm"),
    ("QOI", {}, "qoi"),
]


@pytest.mark.parametrize(("pillow_name", "options", "expected"), IMAGES)
def test_images_are_known_by_content_whatever_their_name(pillow_name, options, expected):
    content = encoded(quadrants(), pillow_name, **options)
    for name in ("a.jpg", "a.mp4", "a.txt", "a"):
        assert sniff(content[:4096], name) == (Kind.IMAGE, expected)


def test_heic_is_known():
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_bytes("RGB", (60, 40), quadrants().tobytes()).save(buffer)
    assert sniff(buffer.getvalue()[:4096], "a") == (Kind.IMAGE, "heic")


VIDEOS = [
    ("a.mp4", "libx264", "mp4"),
    ("a.mov", "libx264", "mov"),
    ("a.mkv", "libx264", "mkv"),
    ("a.webm", "libvpx-vp9", "webm"),
    ("a.avi", "mpeg4", "avi"),
    ("a.ts", "libx264", "mpegts"),
    ("a.m2ts", "libx264", "mpegts"),
    ("a.flv", "libx264", "flv"),
    ("a.mpg", "mpeg2video", "mpegps"),
    ("a.wmv", "msmpeg4v3", "asf"),
    ("a.y4m", "rawvideo", "y4m"),
    ("a.ogv", "libvpx", "ogg"),
    ("a.ivf", "libvpx-vp9", "ivf"),
]


@pytest.mark.parametrize(("name", "codec", "expected"), VIDEOS)
def test_videos_are_known_by_content_whatever_their_name(tmp_path, name, codec, expected):
    head = write_numbered(tmp_path / name, 3, codec=codec).read_bytes()[:4096]
    for other in (name, "a.jpg", "a"):
        assert sniff(head, other) == (Kind.VIDEO, expected)


@pytest.mark.parametrize(("name", "codec", "expected"), [("a.h264", "libx264", "h264"), ("a.h265", "libx265", "hevc")])
def test_bare_streams_need_their_name(tmp_path, name, codec, expected):
    head = write_numbered(tmp_path / name, 3, codec=codec).read_bytes()[:4096]
    assert sniff(head, name) == (Kind.VIDEO, expected)
    assert sniff(head, "a.bin") == (Kind.IGNORED, "")


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.m4a", "aac"), ("a.mp3", "libmp3lame"), ("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.ogg", "libopus"),
     ("a.mka", "aac")],
)  # fmt: skip
def test_sound_is_ignored(tmp_path, name, codec):
    head = write_sound(tmp_path / name, codec).read_bytes()[:4096]
    assert sniff(head, name) == (Kind.IGNORED, "")


@pytest.mark.parametrize(
    ("name", "content", "error", "reason"),
    [
        ("a.jpg", b"", BrokenMedia, "empty file"),
        ("a.MP4", b"", BrokenMedia, "empty file"),
        ("a.jpg", b"<!DOCTYPE html><html><body>404", UnsupportedMedia, r"named \.jpg but holds HTML"),
        ("a.mp4", b"\xef\xbb\xbf\n <html>", UnsupportedMedia, r"named \.mp4 but holds HTML"),
        ("a.png", b"just some words", UnsupportedMedia, r"named \.png but holds text"),
        ("a.webm", b"PK\x03\x04" + bytes(50), UnsupportedMedia, r"holds a zip archive"),
        ("a.jpg", b"%PDF-1.7", UnsupportedMedia, "holds a PDF document"),
        ("a.jpg", bytes(4096), UnsupportedMedia, "holds only zero bytes"),
        ("a.jpg", b"<svg xmlns='x'>", UnsupportedMedia, "holds an SVG drawing"),
        ("a.mov", bytes(range(256)), UnsupportedMedia, "holds data that no decoder knows"),
        ("a.dng", b"II*\0" + bytes(20), UnsupportedMedia, "camera raw"),
        ("a.bin", b"\xff\x0a" + bytes(20), UnsupportedMedia, "JPEG XL"),
    ],
)
def test_what_claims_to_be_media_and_is_not_fails_with_a_reason(name, content, error, reason):
    with pytest.raises(error, match=reason):
        sniff(content, name)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.txt", b"words"), ("a.txt", b""), ("Makefile", b"all:\n"), ("a.zip", b"PK\x03\x04"), ("BMW.csv", b"BM,1,2,3"),
     ("P5.txt", b"P5"), ("P5.txt", b"P5 is a label"), ("a.ts", b"const x: number = 1;\n"), ("a.ts", b""),
     ("diet.txt", b"fat-free milk"), ("a.svg", b"<svg>"), ("GGG", b"G" * 9)],
)  # fmt: skip
def test_what_is_no_media_is_ignored(name, content):
    assert sniff(content, name) == (Kind.IGNORED, "")


@given(st.binary(max_size=600), st.sampled_from(["a", "a.jpg", "a.ts", "a.mkv", "a.dng"]))
def test_sniffing_never_fails_otherwise(head, name):
    try:
        kind, format_name = sniff(head, name)
    except (BrokenMedia, UnsupportedMedia):
        return
    assert (kind is Kind.IGNORED) == (format_name == "")


def test_identify_reads_an_image_once_and_whole(tmp_path):
    content = encoded(photo(), "PNG")
    (tmp_path / "a.png").write_bytes(content)
    (found,) = find_media([tmp_path])
    item, read = identify(found)
    assert read == content
    assert (item.uri, item.kind, item.format, item.size_bytes) == (found.uri, Kind.IMAGE, "png", len(content))
    assert item.content_hash == hashlib.blake2b(content, digest_size=16).hexdigest()


def test_identify_hashes_a_video_without_holding_it(tmp_path):
    path = write_numbered(tmp_path / "a.mp4", 30)
    item, content = identify(MediaItem(uri_of(path), 0, 0))
    assert content is None
    assert (item.kind, item.format) == (Kind.VIDEO, "mp4")
    assert item.content_hash == hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    assert (item.size_bytes, item.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)


def test_identify_says_what_is_wrong(tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        identify(MediaItem(str(tmp_path / "a.jpg"), 3, 0))
    with pytest.raises(MediaError, match="folder"):
        identify(MediaItem(str(tmp_path), 0, 0))
    touch(tmp_path, "notes.txt")
    item, content = identify(MediaItem(str(tmp_path / "notes.txt"), 0, 0))
    assert (item.kind, item.content_hash, content) == (Kind.IGNORED, "", None)
