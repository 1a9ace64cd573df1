"""Summaries of videos whose scenes are known."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from media_made import encoded, number_in, opened, photo, write_numbered, write_video
from visfeat.cli.main import main
from visfeat.errors import UsageError
from visfeat.media.item import MediaItem, uri_of
from visfeat.media.read import identify
from visfeat.summary.film import save_film
from visfeat.summary.moments import KeyMoment, grouped, key_moments, pieces_of
from visfeat.temporal.segments import RowTimes, ShotSpans

pytest.importorskip("sklearn")


def spans(*bounds):
    return ShotSpans(np.array(bounds[:-1], float), np.array(bounds[1:], float))


def scenes(shown, per_scene=10, spread=0.02):
    """Ten rows a second for each second, which shows the scene of that number."""
    rng = np.random.default_rng(0)
    rows = np.eye(8)[np.repeat(shown, per_scene)] + rng.normal(0, spread, (len(shown) * per_scene, 8))
    start = np.arange(len(rows)) / per_scene
    times = RowTimes(start, start + 1 / per_scene, np.arange(len(rows)))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), times


def test_long_shots_are_cut_into_equal_pieces():
    found = pieces_of(spans(0, 4, 29), 10)
    assert found.start_s.tolist() == pytest.approx([0, 4, 4 + 25 / 3, 4 + 50 / 3])
    assert found.end_s.tolist() == pytest.approx([4, 4 + 25 / 3, 4 + 50 / 3, 29])


def test_shots_of_one_scene_are_one_moment():
    values, times = scenes([0, 1, 0, 2])
    found = key_moments(values, times, spans(0, 1, 2, 3, 4), most=9, passage_s=0.5)
    assert len(found) == 3
    assert sorted(round(one.share, 3) for one in found) == [0.25, 0.25, 0.5]
    assert sorted(one.pieces for one in found) == [1, 1, 2]
    assert [one.at_s for one in found] == sorted(one.at_s for one in found)
    assert {int(one.at_s) % 2 and int(one.at_s) for one in found} == {0, 1, 3}
    for one in found:
        assert int(one.start_s) == int(one.at_s)
        assert one.end_s - one.start_s == pytest.approx(0.5)
        assert one.start_s <= one.at_s <= one.end_s


def test_no_more_moments_than_asked_for_and_passages_within_their_shots():
    values, times = scenes([0, 1, 2, 3, 4, 5])
    found = key_moments(values, times, spans(*range(7)), most=3, passage_s=5)
    assert len(found) == 3
    assert sum(one.share for one in found) == pytest.approx(1)
    assert [(one.start_s % 1, one.end_s - one.start_s) for one in found] == [(0, 1)] * 3


def test_the_moment_is_the_row_nearest_to_the_mean():
    values, times = scenes([3], spread=0.2)
    (one,) = key_moments(values, times, spans(0, 1), most=4, passage_s=1)
    best = np.linalg.norm(values - values.mean(axis=0), axis=1).argmin()
    assert one.at_s == times.start_s[best]


def test_groups_are_joined_up_to_twice_the_usual_spread():
    vectors = np.array([[0.0, 0], [0.5, 0], [3, 0]], np.float32)
    assert len(set(grouped(vectors, 0.2, 9).tolist())) == 3
    assert grouped(vectors, 0.3, 9)[0] == grouped(vectors, 0.3, 9)[1]
    assert len(set(grouped(vectors, 0.0, 2).tolist())) == 2


def test_a_film_plays_the_passages_one_after_the_other(tmp_path):
    video = write_numbered(tmp_path / "v.mp4", 100)
    item, _ = identify(MediaItem(uri_of(video), 0, 0))
    moments = [KeyMoment(0.5, 0.4, 0.8, 0.5, 1), KeyMoment(2.5, 2.4, 2.8, 0.5, 1), KeyMoment(2.7, 2.6, 3.0, 0.5, 1)]
    frames = list(opened(save_film(item, moments, tmp_path / "film.mp4")).frames())
    assert [number_in(frame.rgb()) for frame in frames] == [*range(10, 20), *range(60, 75)]
    assert [frame.start_s for frame in frames] == [Fraction(n, 25) for n in range(25)]
    with pytest.raises(UsageError, match="is the video itself"):
        save_film(item, moments, video)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["summarize", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def test_the_command_sums_up_a_video_of_three_scenes(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = np.random.default_rng(0).integers(0, 255, (9, 16, 3))
    colored = np.kron(blocks, np.ones((12, 12, 1))).astype(np.uint8)
    stripes = np.repeat(np.repeat(np.arange(192) // 8 % 2 * 255, 3).reshape(1, 192, 3), 108, axis=0).astype(np.uint8)
    pictures = [photo(108, 192), colored, photo(108, 192), stripes]
    write_video(tmp_path / "v.mp4", [picture for picture in pictures for _ in range(25)], keyframe_every=1000)
    code, out, err = run(capsys, "v.mp4")
    assert code == 0, err
    assert err.splitlines()[-2:] == ["v_summary.png", "v_summary.mp4"]
    with Image.open("v_summary.png") as sheet:
        assert sheet.format == "PNG"
    code, out, _ = run(capsys, "v.mp4", "--json", "-n", 3)
    moments = json.loads(out)
    assert 2 <= len(moments) <= 3
    assert sum(one["share"] for one in moments) == pytest.approx(1)
    film = list(opened(tmp_path / "v_summary.mp4").frames())
    assert 0 < len(film) <= 100


@pytest.mark.parametrize(
    ("options", "message"), [(["-n", 0], "-n 0"), (["--seconds", 0], "--seconds 0"), (["--mp4", "a.avi"], "a.avi")]
)
def test_wrong_usage_is_one_line(capsys, tmp_path, options, message):
    code, out, err = run(capsys, tmp_path / "v.mp4", "--json", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_picture_is_no_video(capsys, tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(photo(), "JPEG"))
    code, _, err = run(capsys, tmp_path / "a.jpg", "--json")
    assert code in (1, 3)
    assert "not a video" in err
