"""HTML sheets hold their pictures, and no name or title of a file breaks them."""

from __future__ import annotations

import base64
import io
import re
from fractions import Fraction
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from media_made import number_in, write_numbered
from visfeat.errors import StoreError
from visfeat.media.item import uri_of
from visfeat.show.contact_sheet import Tile
from visfeat.show.html_sheet import Section, save_html_sheet


class Outline(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self):
        super().__init__()
        self.tags, self.words = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


def outline_of(path):
    page = Outline()
    page.feed(path.read_text("utf-8"))
    return page


def pictures_in(page):
    sources = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))) for source in sources]


def test_a_sheet_holds_its_pictures_and_moments(tmp_path):
    Image.new("RGB", (640, 320), (200, 30, 40)).save(tmp_path / "red.png")
    video = write_numbered(tmp_path / "v.mp4", 12, rate=Fraction(10))
    tiles = [
        Tile(uri_of(tmp_path / "red.png"), None, "query", is_query=True),
        Tile(uri_of(video), 0.7, "cosine 0.500, at 0.70 s"),
        Tile("tar://a.jpg::shard.tar", None, "given", picture=Image.new("L", (20, 30), 77)),
    ]
    path = save_html_sheet(tmp_path / "sheet.html", [Section("found", tiles, note="three of them")], title="One sheet")
    page = outline_of(path)
    red, moment, given = pictures_in(page)
    assert red.shape == (160, 320, 3)
    assert np.abs(red.astype(int) - (200, 30, 40)).max() < 8
    assert number_in(moment) == 7
    assert given.shape == (30, 20, 3)
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert links == [(tmp_path / "red.png").as_uri(), video.as_uri() + "#t=0.7"]
    text = " ".join(page.words)
    for words in ("One sheet", "found", "three of them", "red.png", "cosine 0.500, at 0.70 s"):
        assert words in text
    assert [attrs.get("class") for tag, attrs in page.tags if tag == "figure"] == ["query", None, None]
    assert re.findall(r"https?://", path.read_text("utf-8")) == []


def test_many_moments_of_a_video_are_each_its_own_frame(tmp_path):
    rate = Fraction(30000, 1001)
    video = uri_of(write_numbered(tmp_path / "v.mp4", 30, rate=rate))
    frames = [17, 3, 29, 3, 0]
    tiles = [Tile(video, float(index / rate), "") for index in frames] + [Tile(video, 9.0, "")]
    page = outline_of(save_html_sheet(tmp_path / "s.html", [Section("moments", tiles)], title="t"))
    assert [number_in(picture) for picture in pictures_in(page)] == frames
    assert "no frame is on display at 9 s" in "".join(page.words)


def test_names_and_reasons_are_text_and_never_markup(tmp_path):
    odd = "/no/<script>alert('1')</script> & \"x\"\n.png"
    tiles = [Tile(odd, None, "<b>bold</b>")]
    page = outline_of(save_html_sheet(tmp_path / "s.html", [Section("<i>", tiles)], title="a & b <u>"))
    tags = {tag for tag, _ in page.tags}
    assert tags.isdisjoint({"script", "b", "i", "u", "img"})
    text = "".join(page.words)
    assert "no such file" in text
    assert "<b>bold</b>" in text
    assert "<i>" in text
    (figure,) = [attrs for tag, attrs in page.tags if tag == "figure"]
    assert figure["title"] == odd.replace("\n", "?")


def test_a_sheet_of_nothing_and_one_that_cannot_be_written(tmp_path):
    page = outline_of(save_html_sheet(tmp_path / "s.html", [], title="Nothing"))
    assert ("h1", {}) in page.tags
    with pytest.raises(StoreError, match="cannot be written"):
        save_html_sheet(tmp_path / "no" / "s.html", [], title="t")
