"""Dedupe over stores: groups and passages that are known, keeping, mirrors, known stores, bad input, the command."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dedupe_made import SPACE, VECTOR_RECIPE, directions, near, store_of, write_rows
from media_made import encoded, photo, write_video
from visfeat.cli.main import main
from visfeat.dedupe.contents import pictures
from visfeat.dedupe.found import Duplicates, Passage, Span
from visfeat.dedupe.keep import preferred, sharpness
from visfeat.dedupe.plan import write_plan
from visfeat.dedupe.run import dedupe
from visfeat.errors import StoreError, UsageError
from visfeat.extraction.run import extract_many
from visfeat.presets import presets
from visfeat.store.feature_store import FeatureStore
from visfeat.store.join import Join
from visfeat.store.records import StoredRecipe
from visfeat.store.selection import Space


def members(found):
    return [[(one.uri, one.keep) for one in group.members] for group in found.groups]


def test_groups_of_pictures_with_scores_and_equal_files(tmp_path):
    values = directions(6)
    rows = {f"/{n}.png": values[n] for n in range(6)}
    rows["/copy_of_1.png"] = near(values[1:2], 0.9)[0]
    rows["/same_as_2.png"] = values[2]
    store = store_of(tmp_path / "s", rows, contents={"/same_as_2.png": "/2.png"})
    found = dedupe(store, threshold=0.8)
    assert members(found) == [
        [("/1.png", True), ("/copy_of_1.png", False)],
        [("/2.png", True), ("/same_as_2.png", False)],
    ]
    assert [one.score for one in found.groups[0].members] == pytest.approx([1, 0.9], abs=1e-3)
    assert found.pictures == 7  # distinct ones
    document = json.loads(json.dumps(found.to_json()))
    assert document[1] == [
        {"uri": "/2.png", "score": 1.0, "keep": True},
        {"uri": "/same_as_2.png", "score": 1.0, "keep": False},
    ]


def test_a_known_store_is_not_done_again_and_keeps_all_it_has(tmp_path):
    values = directions(5)
    old = {"/old/a.png": values[0], "/old/b.png": near(values[:1], 0.95)[0], "/both.png": values[3]}
    new = {"/new/a.png": near(values[:1], 0.97, 3)[0], "/new/c.png": values[2], "/both.png": values[3]}
    found = dedupe(store_of(tmp_path / "new", new), against=store_of(tmp_path / "old", old), threshold=0.8)
    assert members(found) == [[("/old/a.png", True), ("/new/a.png", False)]]
    assert [uri for uri, _, _ in found.superfluous] == ["/new/a.png"]


def film_store(path: Path, rows) -> FeatureStore:
    return store_of(path, rows)


def test_passages_of_videos_and_a_video_that_is_part_of_another(tmp_path):
    film, other = directions(40, 1), directions(60, 2)
    rows = {
        "/film.mp4": film,
        "/with_passage.mp4": np.concatenate([other[:10], near(film[8:24], 0.9), other[10:20]]),
        "/part.mp4": near(film[20:40], 0.95),
        "/else.mp4": other[20:50],
    }
    found = dedupe(film_store(tmp_path / "s", rows), threshold=0.8)
    by_pair = {tuple(sorted(span.uri for span in one.spans)): one for one in found.passages}
    assert set(by_pair) == {
        ("/film.mp4", "/part.mp4"), ("/film.mp4", "/with_passage.mp4"), ("/part.mp4", "/with_passage.mp4"),
    }  # fmt: skip
    spans = {span.uri: span for span in by_pair["/film.mp4", "/with_passage.mp4"].spans}
    assert (spans["/film.mp4"].start_s, spans["/film.mp4"].end_s) == pytest.approx((4, 12), abs=0.3)
    assert (spans["/with_passage.mp4"].start_s, spans["/with_passage.mp4"].end_s) == pytest.approx((5, 13), abs=0.3)
    assert all(span.keep for span in spans.values())
    assert {span.uri: span.keep for span in by_pair["/film.mp4", "/part.mp4"].spans} == {
        "/film.mp4": True,
        "/part.mp4": False,
    }
    document = found.to_json()[0]
    assert set(document[0]) == {"uri", "score", "keep", "start_s", "end_s"}


def test_of_two_takes_of_a_scene_none_may_go(tmp_path):
    film = directions(20, 4)
    found = dedupe(film_store(tmp_path / "s", {"/a.mp4": film, "/b.mp4": near(film, 0.85)}), threshold=0.8)
    assert [span.keep for span in found.passages[0].spans] == [True, True]
    assert found.superfluous == []


def test_known_videos_are_compared_with_new_ones_alone(tmp_path):
    film = directions(40, 3)
    old = store_of(tmp_path / "old", {"/old/a.mp4": film, "/old/b.mp4": film[:30]})
    new = store_of(tmp_path / "new", {"/new/a.mp4": near(film[5:25], 0.9)})
    found = dedupe(new, against=old, threshold=0.8)
    assert {one.second.uri for one in found.passages} == {"/old/a.mp4", "/old/b.mp4"}
    assert all(one.first.uri == "/new/a.mp4" and not one.first.keep and one.second.keep for one in found.passages)


def test_what_is_the_same_in_a_mirror_is_found_on_request(tmp_path):
    random = np.random.default_rng(0)
    blocks = [random.integers(0, 256, (12, 16, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1) for _ in range(10)]
    frames, stills = blocks[:8], {"a": blocks[8], "turned": blocks[8][:, ::-1], "b": blocks[9]}
    for name, picture in stills.items():
        (tmp_path / f"{name}.png").write_bytes(encoded(picture, "PNG"))
    write_video(tmp_path / "a.mp4", frames, rate=2)
    write_video(tmp_path / "turned.mp4", [frame[:, ::-1] for frame in frames], rate=2)
    extract_many(tmp_path, presets("visfeat/copies+mirrored"), store=tmp_path / "s.vf")
    store = FeatureStore.open(tmp_path / "s.vf")
    assert dedupe(store).to_json() == []
    found = dedupe(store, mirrored=True)
    (group,) = found.groups
    assert {Path(one.uri).name: one.mirrored for one in group.members} == {"a.png": False, "turned.png": True}
    (passage,) = found.passages
    assert passage.mirrored
    assert (passage.first.start_s, passage.first.end_s) == pytest.approx((0, 4), abs=0.6)


def test_mirrors_that_were_not_extracted_are_asked_for(tmp_path):
    store = store_of(tmp_path / "s", {"/a.png": directions(1)[0], "/b.png": directions(2)[1]})
    with pytest.raises(UsageError, match="--mirror"):
        dedupe(store, mirrored=True, threshold=0.8)


def test_bad_input(tmp_path):
    empty = FeatureStore.create_or_open(tmp_path / "empty")
    with pytest.raises(UsageError, match="holds no features yet"):
        dedupe(empty)
    one = store_of(tmp_path / "one", {"/a.png": directions(1)[0]})
    assert dedupe(one).to_json() == []
    assert "nothing to compare" in dedupe(one).summary
    two = write_rows(one, {"/b.png": directions(2)[1]})
    with pytest.raises(UsageError, match="--threshold auto"):
        dedupe(two)
    with pytest.raises(UsageError, match="too few"):
        dedupe(two, threshold="auto")
    for threshold in (0.0, 1.5, -1):
        with pytest.raises(UsageError, match="--threshold"):
            dedupe(two, threshold=threshold)
    with pytest.raises(UsageError, match="the store has no features of recipe missing; it has"):
        dedupe(two, recipe="missing")
    with pytest.raises(UsageError, match="--keep newest: there are largest, oldest, sharpest"):
        dedupe(two, threshold=0.8, keep="newest")
    other = store_of(tmp_path / "other", {"/c.png": directions(1)[0]}, recipe=VECTOR_RECIPE.but(fit="crop"))
    with pytest.raises(UsageError, match=r"--against .*other: has no rows of .*it has"):
        dedupe(two, against=other, threshold=0.8)


class BrokenReader:
    """Rows as another program may have written them: the second one of these two is not finite."""

    space = Space(StoredRecipe("ab", VECTOR_RECIPE, {}, "", (SPACE,), ""), SPACE)
    join = Join(("/a.png", "/bad.png"), ("image", "image"), np.array([0, 1], np.int32), np.array([0, 1]))

    def stored_values(self):
        values = directions(2)
        values[1, 3] = np.nan
        yield 0, values


def test_a_vector_that_is_not_finite_is_named():
    with pytest.raises(StoreError, match="/bad.png: its vector .* is not finite"):
        pictures(BrokenReader())


def test_a_recipe_that_sees_a_part_says_so(tmp_path):
    values = directions(2)
    store = store_of(tmp_path / "s", {"/a.png": values[0], "/b.png": values[1]}, recipe=VECTOR_RECIPE.but(fit="crop"))
    said = []
    dedupe(store, threshold=0.8, report=said.append)
    assert "center of each picture" in said[0]


def facts(path: Path, **changes):
    with Image.open(path) as image:
        width, height = image.size
    about = path.stat()
    return {
        "uri": str(path), "kind": "image", "width": width, "height": height, "size_bytes": about.st_size,
        "mtime_ns": about.st_mtime_ns, "duration_s": None,
    } | changes  # fmt: skip


def test_which_one_is_kept(tmp_path):
    large, small, blurred = photo(400, 600), photo(200, 300), photo(400, 600)
    dated = Image.Exif()
    dated.get_ifd(0x8769)[0x9003] = "2001:02:03 04:05:06"
    paths = {name: tmp_path / f"{name}.jpg" for name in ("large", "small", "blurred")}
    paths["large"].write_bytes(encoded(large, "JPEG", quality=90))
    paths["small"].write_bytes(encoded(small, "JPEG", quality=90, exif=dated))
    soft = Image.fromarray(blurred).resize((60, 40)).resize((600, 400))
    paths["blurred"].write_bytes(encoded(soft, "JPEG", quality=100))
    items = [facts(path) for path in paths.values()]
    order = {keep: [Path(uri).stem for uri in preferred(items, keep)] for keep in ("largest", "oldest", "sharpest")}
    assert order["largest"][-1] == "small"
    assert order["oldest"][0] == "small"
    assert order["sharpest"][0] == "large"
    assert order["sharpest"][-1] == "blurred"
    assert preferred(items[::-1], "sharpest") == preferred(items, "sharpest")
    assert sharpness(facts(paths["large"], uri="/gone.jpg")) == -1


def pictures_on_disk(folder: Path) -> FeatureStore:
    """Three files in a folder, two of which are alike, and a store of them."""
    folder.mkdir()
    values = directions(2)
    rows = {}
    for name, vector in (("a.png", values[0]), ("deep/b.png", near(values[:1], 0.9)[0]), ("c.png", values[1])):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded(photo(40, 60, seed=len(rows)), "PNG"))
        rows[str(path)] = vector
    return store_of(folder.parent / "s.vf", rows)


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def test_the_command_prints_json_and_writes_pages_tables_and_lists(tmp_path, capsys):
    pictures_on_disk(tmp_path / "media")
    store, page, table, listed = (tmp_path / name for name in ("s.vf", "p.html", "t.csv", "list.txt"))
    arguments = ["dedupe", store, "-t", "0.8", "--html", page, "--csv", table, "--plan", "list", listed]
    assert run(*arguments, "--json") == 0
    (group,) = json.loads(capsys.readouterr().out)
    assert [(Path(one["uri"]).name, one["keep"]) for one in group] == [("a.png", True), ("b.png", False)]
    assert listed.read_text() == f"{tmp_path}/media/deep/b.png\n"
    assert table.read_text().splitlines()[0] == "group,kind,uri,start_s,end_s,score,keep,mirrored"
    assert "data:image" in page.read_text()
    assert run(*arguments) == 2  # the plan is there already
    assert run("dedupe", store, "-t", "0.8") == 0
    assert "1 in 1 groups" in capsys.readouterr().out
    assert run("dedupe", store, "-t", "much") == 2
    assert run("dedupe", store, "-t", "0.8", "--plan", "deletions", tmp_path / "x") == 2


def test_a_plan_of_moves_is_checked_carried_out_and_undone(tmp_path, capsys):
    pictures_on_disk(tmp_path / "media")
    plan, moved = tmp_path / "dupes.csv", tmp_path / "dupes" / "b.png"
    source = tmp_path / "media" / "deep" / "b.png"
    assert run("dedupe", tmp_path / "s.vf", "-t", "0.8", "--plan", "moves", plan) == 0
    content = source.read_bytes()
    assert run("apply", plan) == 0
    assert source.exists()
    assert run("apply", plan, "--yes") == 0
    assert moved.read_bytes() == content
    assert not source.exists()
    assert run("apply", plan, "--yes") == 3  # it is gone
    source.write_bytes(b"another")
    assert run("apply", plan, "--undo", "--yes") == 3
    assert source.read_bytes() == b"another"
    source.unlink()
    assert run("apply", plan, "--undo", "--yes") == 0
    assert source.read_bytes() == content
    assert not moved.exists()
    os.utime(source, ns=(1, 1))
    assert run("apply", plan, "--yes") == 3
    assert "changed since the plan was made" in capsys.readouterr().out
    assert run("apply", tmp_path / "s.vf") in (1, 2)


def test_a_plan_of_links_shows_groups_together(tmp_path):
    pictures_on_disk(tmp_path / "media")
    plan = tmp_path / "look.csv"
    assert run("dedupe", tmp_path / "s.vf", "-t", "0.8", "--plan", "links", plan) == 0
    assert run("apply", plan, "--yes") == 0
    names = sorted(path.name for path in (tmp_path / "look" / "00001").iterdir())
    assert names == ["001_keep_a.png", "002_0.900_b.png"]
    assert (tmp_path / "look" / "00001" / names[1]).resolve() == tmp_path / "media" / "deep" / "b.png"
    assert run("apply", plan, "--undo", "--yes") == 0
    assert list((tmp_path / "look" / "00001").iterdir()) == []
    assert (tmp_path / "media" / "deep" / "b.png").exists()


def test_a_plan_that_was_edited_reaches_no_other_place(tmp_path, capsys):
    pictures_on_disk(tmp_path / "media")
    plan, folder = tmp_path / "dupes.csv", tmp_path / "dupes"
    assert run("dedupe", tmp_path / "s.vf", "-t", "0.8", "--plan", "moves", plan) == 0
    said = plan.read_text()
    other = tmp_path / "other"
    other.mkdir()
    folder.mkdir()
    (folder / "link").symlink_to(other)
    for place in (other / "b.png", folder / ".." / "b.png", folder / "new" / ".." / ".." / "b.png", folder / "link/b"):
        plan.write_text(said.replace(str(folder / "b.png"), str(place)))
        for undo in ([], ["--undo"]):
            assert run("apply", plan, "--yes", *undo) == 3
            assert "is not below" in capsys.readouterr().out
    assert list(other.iterdir()) == []
    assert (tmp_path / "media" / "deep" / "b.png").exists()


def test_what_is_no_plan_is_not_carried_out(tmp_path, capsys):
    plan = tmp_path / "plan.csv"
    for text in ("/a.png\n", "", "action,source\n", "action," + "x" * 200_000):
        plan.write_text(text)
        assert run("apply", plan) == 2
        assert "no plan of links or moves" in capsys.readouterr().err


def test_what_a_kept_link_leads_to_is_not_listed(tmp_path):
    pictures_on_disk(tmp_path / "media")
    kept, other = tmp_path / "media" / "a.png", tmp_path / "media" / "deep" / "b.png"
    kept.unlink()
    kept.symlink_to(other)
    assert run("dedupe", tmp_path / "s.vf", "-t", "0.8", "--plan", "list", tmp_path / "list.txt") == 0
    assert (tmp_path / "list.txt").read_text() == ""


def goes_for(uri: str, other: str) -> Passage:
    return Passage(Span(uri, 0, 9, keep=False), Span(other, 0, 9, keep=True), score=0.99, speed=1)


def test_what_is_kept_in_the_stead_of_a_video_stays():
    chain = Duplicates((), (goes_for("/b", "/c"), goes_for("/a", "/b")), 0, 3)
    assert [(uri, kept) for uri, kept, _ in chain.superfluous] == [("/b", "/c"), ("/a", "/c")]
    circle = Duplicates((), (goes_for("/a", "/b"), goes_for("/b", "/c"), goes_for("/c", "/a")), 0, 3)
    assert [(uri, kept) for uri, kept, _ in circle.superfluous] == [("/b", "/a"), ("/c", "/a")]


def test_plans_are_of_files(tmp_path):
    found = Duplicates((), (goes_for("rtsp://camera/1", "/b.mp4"), goes_for("/media/c.mp4", "/b.mp4")), 0, 3)
    assert write_plan(found, "list", tmp_path / "list.txt") == 1
    assert (tmp_path / "list.txt").read_text() == "/media/c.mp4\n"
    assert write_plan(found, "moves", tmp_path / "moves.csv") == 1
