"""``visfeat show flow``: the right moments, colors and arrows, and what is refused."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from flow_made import moved, similarity
from media_made import encoded, opened, photo, write_video
from visfeat.cli.main import main
from visfeat.errors import BrokenMedia
from visfeat.flow.color_wheel import colored
from visfeat.flow.dis import DisFlow
from visfeat.show.flow import flow_moments
from visfeat.show.flow_figure import flow_picture, with_arrows


@pytest.fixture(scope="module")
def pan(tmp_path_factory):
    """12 frames at 10 a second that go 2 pixels to the right and 1 up from each to the next."""
    path = tmp_path_factory.mktemp("flow") / "pan.mp4"
    return write_video(path, [moved(similarity(2 * n, -n)) for n in range(12)], rate=10, options={"crf": "5"})


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["show", "flow", *(str(argument) for argument in arguments)])
    return ended.value.code


def test_moments_are_those_on_display(pan):
    times = iter([Fraction(0), Fraction("0.35"), Fraction("1.05")])
    found = list(flow_moments(pan, DisFlow(), times_s=times))
    assert [round(moment.start_s, 6) for moment in found] == [0, 0.3, 1.0]
    assert [moment.step_s for moment in found] == pytest.approx([0.1] * 3)
    for moment in found:
        dx, dy, zoom, turn = moment.motion.camera.per_second(moment.step_s)
        assert (dx, dy, zoom, turn) == pytest.approx((20, -10, 1, 0), abs=0.5)
    assert "camera +20" in found[0].lines[1]


def test_a_range_has_every_frame_but_the_last(pan):
    found = [moment.start_s for moment in flow_moments(pan, DisFlow(), start_s=Fraction("0.75"))]
    assert np.allclose(found, [0.8, 0.9, 1.0])
    part = flow_moments(pan, DisFlow(), start_s=Fraction(0), end_s=Fraction("0.2"))
    assert np.allclose([moment.start_s for moment in part], [0, 0.1])


def test_without_two_frames_it_is_said(tmp_path, pan):
    still = tmp_path / "a.png"
    still.write_bytes(encoded(photo(), "PNG"))
    with pytest.raises(BrokenMedia, match="no two frames"):
        list(flow_moments(still, DisFlow()))
    with pytest.raises(BrokenMedia, match="no two frames"):
        list(flow_moments(pan, DisFlow(), times_s=iter([Fraction(5)])))


def test_the_picture_holds_frame_and_colors(pan):
    (moment,) = flow_moments(pan, DisFlow(), times_s=iter([Fraction(0)]))
    drawn = np.asarray(flow_picture(moment, title="pan.mp4", longest_px=4))
    assert drawn.shape[1] == 720
    # Left of the wheel the right half is the coded flow; the left half is the frame between its arrows.
    colors = colored(moment.flow, longest_px=4)
    assert np.array_equal(drawn[16 : 16 + 180, 268 : 268 + 150], colors[:, :150])
    near = np.abs(drawn[16 : 16 + 180, 16 : 16 + 240].astype(int) - moment.picture).max(axis=2) < 24
    assert 0.6 < near.mean() < 0.99


def test_arrows_point_where_things_go():
    grey = np.full((48, 48, 3), 90, np.uint8)
    flow = np.zeros((48, 48, 2), np.float32)
    flow[12, 12] = (4, 0)
    drawn = np.asarray(with_arrows(grey, flow, 8.0)).astype(int)
    yellow = (drawn[..., 0] > 150) & (drawn[..., 2] < 110)
    rows, columns = np.nonzero(yellow[:24])
    # Half of the longest: 12 pixels from its point to the right.
    assert columns[rows < 22].min() >= 11
    assert 22 <= columns[(rows < 22) & (columns < 34)].max() <= 26
    assert abs(rows[columns < 30].mean() - 12) < 1


def test_the_command_writes_pictures_and_videos(tmp_path, pan, capsys):
    assert run(pan, "--at", "0.5s", "-o", tmp_path / "one.png") == 0
    assert run(pan, "--every", "0.4s", "-o", tmp_path / "rows.png") == 0
    with Image.open(tmp_path / "one.png") as picture, Image.open(tmp_path / "rows.png") as sheet:
        one, rows = picture.size, sheet.size
    assert rows == (one[0], 3 * one[1])
    assert run(pan, "--at", "0.3s", "--for", "0.5s", "-o", tmp_path / "part.mp4") == 0
    with closing(opened(tmp_path / "part.mp4")) as decoder:
        times = [float(frame.start_s) for frame in decoder.frames()]
    assert np.allclose(times, [0, 0.1, 0.2, 0.3, 0.4], atol=1e-3)
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "part.mp4")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("-o", "a.gif"), 2),
        (("--flow", "tvl1"), 2),
        (("--flow", "raft"), 2),
        (("--scale", "0"), 2),
        (("--scale", "nan"), 2),
        (("--for", "1s"), 2),
        (("--every", "1s", "-o", "a.mp4"), 2),
        (("-o", "no/folder.png"), 1),
        (("--at", "-1s"), 2),
        (("--at", "1h"), 1),
        (("--at", "1h", "-o", "a.mp4"), 1),
    ],
)
def test_what_cannot_be_drawn_is_said(pan, options, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(pan, *options) == code
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_video_is_named_and_what_was_drawn_before_stays(tmp_path, pan, capsys):
    before = tmp_path / "flow.mp4"
    before.write_bytes(b"of yesterday")
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(b"no video")
    assert run(damaged, "-o", before) == 1
    assert str(damaged) in capsys.readouterr().err
    assert before.read_bytes() == b"of yesterday"
    assert {path.name for path in tmp_path.iterdir()} == {"flow.mp4", "damaged.mp4"}


def test_a_video_is_never_drawn_over_itself(tmp_path, pan):
    video = tmp_path / "a.mp4"
    video.write_bytes(pan.read_bytes())
    assert run(video, "-o", video) == 2
    assert video.read_bytes() == pan.read_bytes()


def test_words_have_their_room_below_a_narrow_video(tmp_path):
    path = write_video(tmp_path / "narrow.mp4", [moved(similarity(n, 0))[:, :64] for n in range(3)], rate=10)
    (moment,) = flow_moments(path, DisFlow(), times_s=iter([Fraction(0)]))
    for title in ("", "narrow.mp4", "a very long name of a file " * 9 + ".mp4"):
        drawn = np.asarray(flow_picture(moment, title=title)).min(axis=2)
        below = drawn[moment.picture.shape[0] + 20 :]
        assert (below[:, -14:] == 255).all()
        # Between the title and the words at its right.
        columns = (below[:20] < 250).any(axis=0)
        assert not title or "000000000000" in "".join(
            "01"[int(inked)] for inked in columns[: np.flatnonzero(columns)[-1]]
        )
