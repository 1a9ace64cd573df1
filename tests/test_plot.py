"""The pictures of a video: what is drawn, into which files, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from media_made import encoded, photo, write_video
from visfeat.cli.main import main
from visfeat.errors import MediaError, UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.extraction.run import extract
from visfeat.media.item import uri_of
from visfeat.plot.features import identified, rows_of, stored_rows
from visfeat.plot.watch import known_shots
from visfeat.shots.run import find_shots
from visfeat.store.feature_store import open_store

pytest.importorskip("matplotlib")

from visfeat.plot import save, selfsim, timeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A video of two shots with a name that a text layout could trip over, and a picture of its second shot."""
    made = tmp_path_factory.mktemp("films")
    pictures = [photo(108, 192, seed=n // 30) for n in range(60)]
    write_video(made / "a $x$ <&> 長.mp4", pictures, keyframe_every=1000)
    (made / "second.png").write_bytes(encoded(pictures[40], "PNG"))
    return made


@pytest.fixture(scope="module")
def video(folder):
    return next(folder.glob("*.mp4"))


@pytest.fixture(scope="module")
def store(folder, video):
    path = folder / "s.vf"
    extract([video], store=path, every_s=0.2)
    list(find_shots([video], store=path))
    return path


def test_a_timeline_shows_shots_motion_and_the_query(folder, video, tmp_path):
    figure = timeline(video, query=folder / "second.png")
    strip, motion, similarity = figure.axes[:3]
    assert [round(patch.get_x(), 3) for patch in strip.patches] == [0, 1.2]
    assert len(strip.images) >= 2
    assert motion.get_xlim() == similarity.get_xlim() == (0, 2.4)
    (curve,) = similarity.patches
    values, edges, _ = curve.get_data()
    assert values.argmax() in np.flatnonzero(edges[:-1] >= 1.2)
    assert values[edges[1:] <= 1.2].max() < values.max() - 0.05
    for name, kind in (("t.png", "PNG"), ("t.PNG", "PNG")):
        with Image.open(save(figure, tmp_path / name)) as picture:
            assert (picture.format, picture.size[0]) == (kind, 1680)


def test_an_svg_is_xml_with_text_as_text(video, tmp_path):
    figure = selfsim(video)
    first, second = save(figure, tmp_path / "s.svg").read_bytes(), save(figure, tmp_path / "s2.svg").read_bytes()
    assert first == second
    texts = [element.text for element in ElementTree.fromstring(first).iter("{http://www.w3.org/2000/svg}text")]
    assert video.name in texts
    assert {"0:00", "0:01", "0:02", "cosine"} <= set(texts)
    (mesh,) = figure.axes[0].collections
    matrix = np.asarray(mesh.get_array())
    assert matrix.shape == (24, 24)
    np.testing.assert_allclose(np.diag(matrix), 1, atol=1e-5)
    assert [line.get_xdata()[0] for line in figure.axes[0].lines[:1]] == [1.2]


def test_features_and_shots_come_from_the_store_by_content(folder, video, store, tmp_path):
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(video.read_bytes())
    rows = stored_rows(open_store(store), identified(copy), None, None, None)
    values, table = open_store(store).features()
    np.testing.assert_array_equal(rows.values, values)
    assert rows.start_s.tolist() == table["start_s"].to_pylist()
    assert [(shot.start_frame, shot.end_frame) for shot in known_shots(store, identified(copy))] == [(0, 30), (30, 60)]
    np.testing.assert_allclose(rows.vector_of(folder / "second.png"), Extractor()([folder / "second.png"])[0])
    thinned = selfsim(copy, store=store, most_rows=5)
    assert np.asarray(thinned.axes[0].collections[0].get_array()).shape == (5, 5)
    assert any("5 of 12 rows" in text.get_text() for text in thinned.texts)


def test_several_recipes_need_a_choice(video, store, tmp_path):
    path = tmp_path / "two.vf"
    extract([video], store=path, every_s=0.4)
    extract([video], store=path, every_s=0.6)
    item = identified(video)
    with pytest.raises(UsageError, match="several features fit"):
        rows_of(item, path, None, None)
    digests = {space.stored.recipe.every_s: space.stored.digest for space in open_store(path).spaces()}
    counts = [len(rows_of(item, path, digest, None).values) for _, digest in sorted(digests.items())]
    assert counts == [6, 4]
    with pytest.raises(UsageError, match="--recipe other: no such file"):
        rows_of(item, path, "other", None)
    (tmp_path / "own.toml").write_text('every = "0.8s"\nlayers = ["blocks.1.0", "global_pool"]\n')
    with pytest.raises(UsageError, match="choose one with --layer: blocks.1.0, global_pool"):
        rows_of(item, path, tmp_path / "own.toml", None)
    assert rows_of(item, path, tmp_path / "own.toml", "global_pool").values.shape == (3, 1280)
    assert uri_of(video) == item.uri


def test_the_command_writes_a_file_and_says_which(capsys, video, store, tmp_path):
    for kind in ("timeline", "selfsim"):
        with pytest.raises(SystemExit) as stopped:
            main(["plot", kind, str(video), "-s", str(store), "-o", str(tmp_path / f"{kind}.png")])
        assert stopped.value.code in (0, None)
        assert capsys.readouterr().out.strip() == str(tmp_path / f"{kind}.png")
        assert (tmp_path / f"{kind}.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["-o", "x.jpg"], 2, "ends in .png or .svg"),
        (["--query", "99s"], 2, "goes from 0 to 2.4 s"),
        (["--query", "nowhere.png"], 2, "neither an image file nor a moment"),
        (["--layer", "global_pool"], 2, "--layer: says whose features --query is compared with"),
        (["-s", "nowhere.vf"], 1, "nowhere.vf: no such store"),
        (["-o", "nowhere/x.png"], 1, "there is no folder nowhere"),
    ],
)
def test_wrong_usage_is_one_line(capsys, video, store, options, code, message):
    with pytest.raises(SystemExit) as stopped:
        main(["plot", "timeline", str(video), "-s", str(store), *options])
    err = capsys.readouterr().err
    assert (stopped.value.code, err.count("\n")) == (code, 1)
    assert message in err


def test_what_is_no_video_is_named(folder, tmp_path):
    with pytest.raises(MediaError, match=r"second.png: not a video"):
        timeline(folder / "second.png")
    with pytest.raises(MediaError, match=r"missing.mp4: no such file"):
        selfsim(tmp_path / "missing.mp4")


def test_without_matplotlib_the_extra_is_named():
    code = "import sys; sys.modules['matplotlib'] = None; from visfeat.cli.main import main; main(sys.argv[1:])"
    for arguments in (["timeline", "v.mp4"], ["selfsim", "v.mp4", "-o", "x.svg"]):
        done = subprocess.run(
            [sys.executable, "-c", code, "plot", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert done.stderr.endswith("pip install 'visfeat[plot]'\n")
        assert done.stderr.count("\n") == 1
