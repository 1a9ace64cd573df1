"""Questions that are files: they go through the recipe that made the rows, so that what is there scores 1."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import visfeat as vf
from media_made import encoded, photo, write_video
from visfeat.cli.main import main
from visfeat.errors import MediaError, ModelError, UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.search import search

ODD = {"size": 96, "fit": "squash", "crop": (0.1, 0.1, 0.8, 0.8), "every_s": 0.5}
"""Options that no default has."""


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> Path:
    """Three photographs, a video of two scenes of two seconds, one of the second scene alone."""
    folder = tmp_path_factory.mktemp("media")
    for n in range(3):
        (folder / f"{n}.jpg").write_bytes(encoded(photo(seed=n), "JPEG"))
    drift = [[np.roll(photo(108, 192, seed=seed), n, axis=1) for n in range(20)] for seed in (7, 12)]
    write_video(folder / "v.mp4", [*drift[0], *drift[1]], rate=10)
    write_video(folder / "w.mp4", drift[1], rate=10)
    (folder / "broken.png").write_bytes(encoded(photo(), "PNG")[:900])
    return folder


@pytest.fixture(scope="module")
def store(media, tmp_path_factory) -> vf.FeatureStore:
    path = tmp_path_factory.mktemp("store") / "s.vf"
    files = [media / name for name in ("0.jpg", "1.jpg", "2.jpg", "v.mp4", "w.mp4")]
    vf.extract(files, store=path, name="odd", **ODD)
    vf.extract(files, store=path, name="mean", temporal="mean", **ODD)
    vf.extract(files, store=path, name="words", temporal="vlad", temporal_model="kmeans:0,centers=2", **ODD)
    vf.extract(files, store=path, name="half", dtype="float16", every_s=1, layers=("global_pool", "blocks.6"))
    return vf.open_store(path)


def test_a_picture_finds_itself_by_file_image_and_array(store, media):
    path = media / "1.jpg"
    for picture in (path, str(path), Image.open(path), np.asarray(Image.open(path))):
        best = store.search(image=picture, recipe="odd", k=1)[0]
        assert best.uri == str(path)
        assert best.score == pytest.approx(1, abs=1e-6)


def test_a_moment_finds_the_passage_of_its_scene(store, media):
    found = store.search(video=f"{media / 'v.mp4'}#t=2.5", recipe="odd", k=2)
    assert [(Path(one.uri).name, one.start_s) for one in found] == [("v.mp4", 2.0), ("w.mp4", 0.0)]
    assert found[0].score == pytest.approx(1, abs=1e-6)
    assert found[0].at_s == 2.5
    assert found[0].end_s > 3.0
    half_a_second_on = store.search(video=f"{media / 'v.mp4'}#t=0:02.99", recipe="odd", k=1)[0]
    assert half_a_second_on.at_s == 3.0  # the frame on display is 2.9's, nearest to the row at 3 s


def test_a_whole_video_is_the_mean_of_its_rows(store, media):
    values, table = store.features(recipe="odd")
    rows = values[np.array(table["uri"].to_pylist()) == str(media / "w.mp4")]
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    by_file = store.search(video=media / "w.mp4", recipe="odd", k=3)
    by_vector = store.search(vector=units.mean(axis=0), recipe="odd", k=3)
    assert [one.uri for one in by_file] == [one.uri for one in by_vector]
    np.testing.assert_allclose([one.score for one in by_file], [one.score for one in by_vector], atol=1e-5)
    by_item = store.search(item=str(media / "w.mp4"), recipe="odd", k=3)
    assert str(media / "w.mp4") not in {one.uri for one in by_item}


@pytest.mark.parametrize("recipe", ["mean", "words"])
def test_rows_that_stand_for_videos_are_searched_by_whole_videos(store, media, recipe):
    best = store.search(video=media / "w.mp4", recipe=recipe, k=1)[0]
    assert (Path(best.uri).name, best.start_s) == ("w.mp4", 0.0)
    assert best.score == pytest.approx(1, abs=1e-5)
    at = store.search(video=f"{media / 'w.mp4'}#t=1", recipe=recipe, k=1)[0]
    assert at == best
    with pytest.raises(UsageError, match="no row stands for it; they go from 0 to 1.6 s"):
        store.search(video=f"{media / 'w.mp4'}#t=9", recipe=recipe)
    image = store.search(image=media / "2.jpg", recipe=recipe, k=1)[0]
    assert (Path(image.uri).name, image.score) == ("2.jpg", pytest.approx(1, abs=1e-5))


@pytest.mark.parametrize("layer", ["global_pool", "blocks.6"])
def test_one_of_several_layers_in_half_precision(store, media, layer):
    best = store.search(image=media / "0.jpg", recipe="half", layer=layer, k=1)[0]
    assert (Path(best.uri).name, best.score) == ("0.jpg", pytest.approx(1, abs=1e-3))


def test_several_pictures_are_their_mean_and_not_is_subtracted(store, media):
    both = search(store, image=[media / "0.jpg", media / "1.jpg"], recipe="odd", k=2)
    assert {Path(one.uri).name for one in both.passages} == {"0.jpg", "1.jpg"}
    without = search(store, image=[media / "0.jpg", media / "1.jpg"], unlike=media / "1.jpg", recipe="odd", k=5)
    order = [Path(one.uri).name for one in without.passages]
    assert order.index("0.jpg") < order.index("1.jpg")
    assert [shown.wanted for shown in without.shown] == [True, True, False]


@pytest.mark.parametrize(
    ("question", "error", "message"),
    [
        ({"image": "broken.png"}, MediaError, "broken.png: "),
        ({"image": "none.png"}, MediaError, "none.png: no such file"),
        ({"video": "broken.png#t=0"}, MediaError, "broken.png"),
        ({"video": "0.jpg#t=1"}, UsageError, "0.jpg at 1 s: is a still image"),
        ({"video": "w.mp4#t=9"}, UsageError, r"w.mp4 at 9 s: .*it ends at 2 s"),
    ],
)
def test_files_that_cannot_be_asked_with(store, media, question, error, message):
    ((kind, name),) = question.items()
    with pytest.raises(error, match=message):
        store.search(**{kind: str(media / name)}, recipe="odd")


def test_several_recipes_must_be_chosen_from(store, media):
    with pytest.raises(UsageError, match="several features fit"):
        store.search(image=media / "0.jpg")


def test_the_vector_of_a_moment_is_that_of_the_video(media):
    extractor = Extractor(every_s=0.5)
    features = extractor.video(media / "v.mp4")
    for row in (0, 3, 7):
        np.testing.assert_array_equal(extractor.moment(media / "v.mp4", features.start_s[row]), features.values[row])


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def test_the_command_prints_a_table_json_and_a_page(store, media, capsys, tmp_path):
    asked = ("search", store.path, "--image", media / "1.jpg", "-r", "odd", "-k", 3)
    code, out, err = run(capsys, *asked, "--html", tmp_path / "s.html")
    assert (code, err) == (0, f"visfeat: as a page: {tmp_path / 's.html'}\n")
    first = out.splitlines()[1].split()
    assert (first[0], first[-1]) == ("1.000", str(media / "1.jpg"))
    page = (tmp_path / "s.html").read_text("utf-8")
    assert page.count("<img ") == 4
    assert "cosine 1.000" in page
    code, out, _ = run(capsys, *asked, "--json")
    found = json.loads(out)
    assert [set(one) for one in found] == [{"uri", "start_s", "end_s", "at_s", "score"}] * 3
    assert found[0]["uri"] == str(media / "1.jpg")
    code, out, _ = run(capsys, *asked, "--where", "kind = 'nothing'")
    assert (code, out) == (0, "nothing found\n")


def test_the_command_builds_checks_and_drops_an_index(store, media, capsys):
    space = (store.path, "-r", "odd")
    code, out, err = run(capsys, "index", *space)
    assert (code, "indexing 15 rows of recipe" in err) == (0, True)
    assert "on rows of its own, looking into" in out
    code, out, err = run(capsys, "search", *space, "--check-recall", "--json")
    measured = json.loads(out)
    assert (measured["recall"], measured["rows"]) == (1.0, 15)
    assert "comparing with all 15 rows" in err
    assert run(capsys, "search", *space, "--check-recall")[1].startswith("recall@10 1.000 on 15 of 15 rows")
    indexed = run(capsys, "search", *space, "--image", media / "0.jpg", "--json")[1]
    exact = run(capsys, "search", *space, "--image", media / "0.jpg", "--exact", "--json")[1]
    pairs = zip(json.loads(indexed), json.loads(exact), strict=True)
    for one, other in pairs:
        assert one | {"score": 0} == other | {"score": 0}
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)
    assert run(capsys, "index", *space, "--drop")[1] == "the index is removed\n"
    assert run(capsys, "index", *space, "--drop")[1] == "there was no index\n"


def test_errors_are_one_line_with_their_exit_codes(store, media, capsys):
    for arguments, expected in (
        (("--image", media / "broken.png", "-r", "odd"), 1),
        (("--image", media / "0.jpg"), 2),
        (("-r", "odd"), 2),
        (("--item", "x", "-r", "odd", "--where", "kinds = 1"), 2),
    ):
        code, out, err = run(capsys, "search", store.path, *arguments)
        assert (code, out) == (expected, "")
        assert err.startswith("visfeat: error: ")
        assert err.count("\n") == 1


def test_rows_of_another_model_than_today_are_refused(store, media):
    from visfeat.extraction.as_stored import extractor_as_stored
    from visfeat.store.records import StoredRecipe
    from visfeat.store.selection import Space

    space = store.spaces(recipe="odd")[0]
    stored = space.stored
    other = stored.recipe.but(weights_digest="0" * 64)
    changed = StoredRecipe(stored.digest, other, stored.facts, stored.card_toml, stored.layers, stored.created_at)
    with pytest.raises(ModelError, match="no longer the one that made these rows"):
        extractor_as_stored(store, Space(changed, space.layer), report=lambda _: None)
