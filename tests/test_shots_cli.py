"""``visfeat shots``: a table, other programs' formats, a store, a page and files."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from media_made import encoded, opened, photo, write_video
from visfeat.cli.main import main
from visfeat.media.hash import hash_of_bytes
from visfeat.store.shots import ShotTable


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    with pytest.raises(SystemExit) as stopped:
        main(["shots", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return int(stopped.value.code or 0), out, err


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two videos of two shots each, cut after 30 frames, and a photograph."""
    folder = tmp_path_factory.mktemp("films")
    for name, seed in (("a.mp4", 0), ("b [1].mkv", 5)):
        write_video(folder / name, [photo(108, 192, seed=seed + n // 30) for n in range(60)], keyframe_every=1000)
    (folder / "c.jpg").write_bytes(encoded(photo(), "JPEG"))
    return folder


def test_a_folder_of_videos_as_a_table_and_as_csv(capsys, folder):
    code, out, err = run(capsys, folder)
    assert (code, err) == (0, "")
    assert "start_frame" in out
    assert "[1].mkv" in out.replace("\n", "")
    code, out, _ = run(capsys, folder, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["start_frame"], row["end_frame"], row["start_s"]) for row in rows] == [
        ("0", "30", "0.0"),
        ("30", "60", "1.2"),
    ] * 2


def test_a_video_that_cannot_be_decoded_is_told_in_a_folder_too(capsys, tmp_path):
    (tmp_path / "c.jpg").write_bytes(encoded(photo(), "JPEG"))
    write_video(tmp_path / "strange.avi", [photo(96, 128)] * 3, codec="mpeg4")
    content = (tmp_path / "strange.avi").read_bytes()
    (tmp_path / "strange.avi").write_bytes(content.replace(b"FMP4", b"ZZZZ"))
    code, out, err = run(capsys, tmp_path, "--json")
    (video,) = json.loads(out)
    assert (code, video["status"]) == (3, "failed")
    assert "codec is unknown" in err


def test_splitting_never_replaces_a_video_that_was_read(capsys, folder, tmp_path):
    """One video has the name that the first shot of the other would get."""
    for source, name in (("a.mp4", "a.mp4"), ("b [1].mkv", "a-0001.mp4")):
        (tmp_path / name).write_bytes((folder / source).read_bytes())
    before = (tmp_path / "a-0001.mp4").read_bytes()
    code, _, err = run(capsys, tmp_path, "--split", tmp_path)
    assert code == 3
    assert "a-0001.mp4 is a video that was read" in err
    assert (tmp_path / "a-0001.mp4").read_bytes() == before
    assert (tmp_path / "a-0001-0002.mp4").is_file()


def test_what_is_no_video_is_told_and_the_others_go_on(capsys, folder, tmp_path):
    (tmp_path / "broken.mp4").write_bytes((folder / "a.mp4").read_bytes()[:3000])
    code, out, err = run(capsys, folder / "c.jpg", tmp_path / "broken.mp4", folder / "a.mp4", "--json")
    image, broken, video = json.loads(out)
    assert code == 3
    assert (image["status"], image["reason"]) == ("failed", "not a video")
    assert broken["status"] == "failed"
    assert "broken.mp4: " in err
    assert (video["status"], [shot["end_s"] for shot in video["shots"]]) == ("done", [1.2, 2.4])


def test_a_store_keeps_the_shots_of_a_content_once(capsys, folder, tmp_path):
    for _ in range(2):
        assert run(capsys, folder / "a.mp4", "--store", tmp_path / "s.vf")[0] == 0
    rows = ShotTable.create_or_open(tmp_path / "s.vf").read().to_pylist()
    assert [(row["start_s"], row["end_s"], row["start_frame"], row["end_frame"]) for row in rows] == [
        (0.0, 1.2, 0, 30),
        (1.2, 2.4, 30, 60),
    ]
    assert {row["content_hash"] for row in rows} == {hash_of_bytes((folder / "a.mp4").read_bytes())}
    assert len(rows[0]["model_digest"]) == 64
    assert run(capsys, folder / "a.mp4", "--store", tmp_path / "s.vf", "--threshold", "0.9999")[0] == 0
    assert len(ShotTable.create_or_open(tmp_path / "s.vf").read()) == 1


def test_an_edit_list_plays_all_shots_in_a_row(capsys, folder):
    _, out, _ = run(capsys, folder, "--edl")
    events = re.findall(r"^(\d{3})  AX       V     C        (.*)$", out, re.MULTILINE)
    assert out.startswith("TITLE: ")
    assert [number for number, _ in events] == ["001", "002", "003", "004"]
    assert events[3][1] == "00:00:01:05 00:00:02:10 00:00:03:15 00:00:04:20"
    assert out.count("* FROM CLIP NAME: b [1].mkv") == 2


def test_a_timeline_has_a_clip_a_shot(capsys, folder):
    _, out, _ = run(capsys, folder / "a.mp4", "--otio")
    (track,) = json.loads(out)["tracks"]["children"]
    first, second = track["children"]
    assert second["source_range"]["start_time"] == {"OTIO_SCHEMA": "RationalTime.1", "rate": 25.0, "value": 30.0}
    assert first["media_references"]["DEFAULT_MEDIA"]["target_url"] == (folder / "a.mp4").as_uri()


def test_a_page_shows_a_picture_a_shot(capsys, folder, tmp_path):
    code, _, err = run(capsys, folder, "--html", tmp_path / "sheet.html")
    page = (tmp_path / "sheet.html").read_text("utf-8")
    assert (code, err) == (0, "")
    assert page.count("<figure>") == 4
    pictures = [Image.open(io.BytesIO(base64.b64decode(data))) for data in re.findall(r"base64,([^\"]+)", page)]
    middles = [photo(108, 192, seed=seed) for seed in (0, 1, 5, 6)]
    for picture, middle in zip(pictures, middles, strict=True):
        assert picture.size == (192, 108)
        assert np.abs(np.asarray(picture).astype(int) - middle).mean() < 12


def test_shots_become_files_copied_or_encoded(capsys, folder, tmp_path):
    """A cut at a keyframe copies the very packets; one elsewhere encodes."""
    pictures = [photo(108, 192, seed=n // 30) for n in range(60)]
    options = {"x264-params": "scenecut=0:open-gop=0:bframes=2"}
    aligned = write_video(tmp_path / "a.mp4", pictures, keyframe_every=15, b_frames=2, options=options)
    (tmp_path / "other").mkdir()
    odd = write_video(tmp_path / "other" / "a.mp4", pictures, keyframe_every=1000, options=options)
    code, _, err = run(capsys, aligned, odd, "--split", tmp_path / "out")
    assert code == 0
    assert [line.split(": ")[-1] for line in err.splitlines()] == ["copied", "copied", "encoded", "encoded"]
    whole = [frame.rgb() for frame in opened(aligned).frames()]
    for number, first in ((1, 0), (2, 30)):
        frames = list(opened(tmp_path / "out" / f"a-000{number}.mp4").frames())
        assert [frame.start_s for frame in frames] == [Fraction(n, 25) for n in range(30)]
        assert all(np.array_equal(frame.rgb(), whole[first + n]) for n, frame in enumerate(frames))
        frames = list(opened(tmp_path / "out" / f"a~2-000{number}.mp4").frames())
        assert [frame.start_s for frame in frames] == [Fraction(n, 25) for n in range(30)]
        assert np.abs(frames[0].rgb().astype(int) - pictures[first]).mean() < 10


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--csv", "--json"], "choose one"), (["--threshold", "2"], "--threshold 2"), (["nowhere.mp4"], "nowhere.mp4")],
)
def test_wrong_usage_is_one_line(capsys, folder, options, message):
    code, out, err = run(capsys, folder / "a.mp4", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
