"""Contact sheets show the right pictures at the right places."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image, ImageFont

from media_made import number_in, numbered, write_numbered
from visfeat.errors import BrokenMedia, MediaError, StoreError
from visfeat.media.item import uri_of
from visfeat.search import Neighbor
from visfeat.show.contact_sheet import contact_sheet, save_contact_sheet, shortened, tiles
from visfeat.show.thumbnail import thumbnail

RED, BLUE = (200, 30, 40), (20, 60, 210)
BOX = (232, 174)


def image_of(path, color, size=(464, 348)):
    Image.new("RGB", size, color).save(path)
    return uri_of(path)


def near(picture, color):
    """Where a picture has about that color: bool (H, W)."""
    return np.abs(np.asarray(picture, int) - color).max(axis=2) < 8


def test_thumbnail_keeps_the_aspect_ratio_and_enlarges_nothing(tmp_path):
    assert thumbnail(image_of(tmp_path / "a.png", RED, (1000, 500)), None, BOX).size == (232, 116)
    assert thumbnail(image_of(tmp_path / "b.png", RED, (20, 30)), None, BOX).size == (20, 30)


def test_thumbnail_of_a_moment_is_the_frame_that_starts_then(tmp_path):
    rate = Fraction(30000, 1001)
    path = write_numbered(tmp_path / "v.mp4", 40, rate=rate)
    for index in (0, 1, 7, 23, 39):
        picture = thumbnail(uri_of(path), float(index / rate), BOX)
        assert number_in(np.asarray(picture)) == index
    assert number_in(np.asarray(thumbnail(uri_of(path), None, BOX))) == 0
    with pytest.raises(BrokenMedia, match="no frame is on display at 9 s"):
        thumbnail(uri_of(path), 9.0, BOX)


def test_thumbnail_of_a_missing_file(tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        thumbnail(str(tmp_path / "gone.png"), None, BOX)


def test_sheet_shows_query_first_with_a_colored_frame(tmp_path):
    query, other = image_of(tmp_path / "q.png", RED), image_of(tmp_path / "n.png", BLUE)
    found = [
        Neighbor(other, None, None, 0.5),
        Neighbor(other, None, None, 0.25),
        Neighbor(str(tmp_path / "x"), 1, 2, 0),
    ]
    sheet = np.asarray(contact_sheet(tiles(query, None, found), title="t", columns=2))
    rows, columns = np.nonzero(near(sheet, RED))
    assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == BOX
    blue = near(sheet, BLUE)
    assert blue.sum() == 2 * BOX[0] * BOX[1]
    assert not blue[:, : columns.max()][: rows.max()].any()  # nothing but the query in its corner
    assert near(sheet, (203, 75, 22))[rows.min() - 2, columns.min() : columns.max()].all()
    background = near(sheet, (255, 255, 255))
    assert background[:20].all()
    assert background[-20:].all()
    assert background[:, :20].all()
    assert background[:, -20:].all()


def test_tiles_say_score_and_time():
    made = tiles("/q.mp4", 2.0, [Neighbor("/a.png", None, None, 0.98765), Neighbor("/b.mp4", 3.25, 3.29, 0.5)])
    assert [tile.line for tile in made] == ["query, at 2.00 s", "cosine 0.988", "cosine 0.500, at 3.25 s"]
    assert [tile.at_s for tile in made] == [2.0, None, 3.25]


def test_long_and_odd_names_fit():
    font = ImageFont.load_default(15)
    assert shortened("cat.png", 200, font) == "cat.png"
    short = shortened("a very long name of a file that " * 4 + "ends.jpg", 200, font)
    assert font.getlength(short) <= 200
    assert short.startswith("a very")
    assert short.endswith(".jpg")
    assert shortened("two\nlines\udcff", 200, font) == "two?lines?"


def test_sheet_is_a_png(tmp_path):
    picture = tmp_path / "n.png"
    Image.fromarray(numbered(3)).save(picture)
    path = save_contact_sheet(tmp_path / "sheet.png", tiles(uri_of(picture), None, []), title="Alone")
    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
    with pytest.raises(StoreError, match="cannot be written"):
        save_contact_sheet(tmp_path / "no" / "sheet.png", tiles(uri_of(picture), None, []), title="Alone")
