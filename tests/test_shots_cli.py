"""``visfeat shots``: a table, other programs' formats, a store, a page and files."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from media_made import encoded, photo, write_video
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


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--csv", "--json"], "choose one"), (["--threshold", "2"], "--threshold 2"), (["nowhere.mp4"], "nowhere.mp4")],
)
def test_wrong_usage_is_one_line(capsys, folder, options, message):
    code, out, err = run(capsys, folder / "a.mp4", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
