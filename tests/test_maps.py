"""Maps against scikit-learn's PCA, the formulas of PaCMAP, and what must not move."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from space_made import blobs, images_of, store_of
from store_made import done, item_of, writer_of
from visfeat.cli.main import main
from visfeat.errors import UsageError
from visfeat.maps import map_store
from visfeat.maps.pacmap import gradient, pacmap, place
from visfeat.maps.page import save_page
from visfeat.maps.pairs import Pairs, draw_pairs, nearest_rows
from visfeat.maps.picture import apart
from visfeat.maps.points import shown_points, spread
from visfeat.pca import principal, principal_of
from visfeat.store.feature_store import FeatureStore


def test_components_are_those_of_scikit_learn_whatever_the_blocks():
    decomposition = pytest.importorskip("sklearn.decomposition")
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(200, 6)) @ np.diag([5, 3, 2, 1, 0.5, 0.1]) + 4).astype(np.float32)
    reference = decomposition.PCA(3).fit(rows)
    found = principal([rows[:31], rows[31:150], rows[150:]], 6, 3)
    signs = np.sign((found.components * reference.components_).sum(axis=1))
    np.testing.assert_allclose(found.components, reference.components_ * signs[:, None], atol=1e-4)
    np.testing.assert_allclose(found.explained, reference.explained_variance_ratio_, atol=1e-5)
    np.testing.assert_allclose(found(rows), reference.transform(rows) * signs, atol=1e-3)
    # Of few wide rows the same comes out by their products.
    few = rows[:4]
    by_products, by_covariance = principal_of(few, 3), principal([few], 6, 3)
    np.testing.assert_allclose(by_products(few), by_covariance(few), atol=1e-4)


def test_rows_all_alike_lie_on_one_point():
    same = np.ones((5, 8), np.float32)
    assert np.abs(principal_of(same, 2)(same)).max() < 1e-6


def loss(placed, pairs, weights):
    """The loss as the paper writes it."""
    total = 0.0
    for others, weight, scale in zip((pairs.near, pairs.mid_near, pairs.further), weights, (10, 1e4, 1), strict=True):
        for i, row in enumerate(others):
            for j in row:
                d = 1 + ((placed[i] - placed[j]) ** 2).sum()
                total += weight * (1 / (1 + d) if others is pairs.further else d / (scale + d))
    return total


def test_gradient_is_that_of_the_loss():
    rng = np.random.default_rng(1)
    placed = rng.normal(size=(12, 2))
    pairs = Pairs(rng.integers(0, 12, (12, 3)), rng.integers(0, 12, (12, 2)), rng.integers(0, 12, (12, 4)))
    weights = (2.0, 300.0, 1.0)
    numeric = np.zeros_like(placed)
    for index in np.ndindex(placed.shape):
        step = np.zeros_like(placed)
        step[index] = 1e-5
        numeric[index] = (loss(placed + step, pairs, weights) - loss(placed - step, pairs, weights)) / 2e-5
    np.testing.assert_allclose(gradient(placed, pairs, weights), numeric, rtol=1e-5, atol=1e-7)


def test_pairs_are_what_they_say():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(50, 5)).astype(np.float32)
    pairs = draw_pairs(rows, 0, neighbors=6, mid_near=3, further=12)
    assert (pairs.near.shape, pairs.mid_near.shape, pairs.further.shape) == ((50, 6), (50, 3), (50, 12))
    for i in range(50):
        assert i not in {*pairs.near[i], *pairs.mid_near[i], *pairs.further[i]}
        assert not set(pairs.near[i]) & set(pairs.further[i])
    exact = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    near, distance = nearest_rows(rows, rows, 4, own=0)
    np.fill_diagonal(exact, np.inf)
    assert near.tolist() == np.argsort(exact, axis=1, kind="stable")[:, :4].tolist()
    np.testing.assert_allclose(distance, np.sort(exact, axis=1)[:, :4], rtol=1e-5)


def test_groups_stay_together_and_the_seed_decides():
    rows, truth = blobs(4, 40, width=20)
    first, second, other = pacmap(rows, 0), pacmap(rows, 0), pacmap(rows, 1)
    assert first.tobytes() == second.tobytes()
    assert first.tobytes() != other.tobytes()
    near, _ = nearest_rows(first, first, 5, own=0)
    assert (truth[near] == truth[:, None]).mean() > 0.98


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 12])
def test_few_points_have_a_map_too(count):
    rows = np.eye(16, dtype=np.float32)[:count]
    found = pacmap(rows, 0)
    assert found.shape == (count, 2)
    assert np.isfinite(found).all()


def test_a_row_that_is_there_lands_on_its_point():
    rows, _ = blobs(3, 10)
    points = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    np.testing.assert_allclose(place(rows[:7], rows, points), points[:7], atol=1e-4)
    between = place(rows[:1] + 0.001, rows, points)
    assert points.min() <= between.min() <= between.max() <= points.max()


@pytest.mark.parametrize("method", ["pca", "pacmap"])
def test_the_store_keeps_a_map_and_places_what_is_new(tmp_path, method):
    rows, truth = blobs(3, 12, spread=0.03)
    path = tmp_path / "s.vf"
    store = images_of(path, rows[:30])
    first = map_store(store, method=method)
    assert (first.is_new, first.added) == (True, 0)
    images_of(path, rows)
    second = map_store(FeatureStore.open(path), method=method)
    assert (second.is_new, second.added) == (False, 6)
    assert second.xy[:30].tobytes() == first.xy.tobytes()
    near, _ = nearest_rows(second.xy[30:], second.xy[:30], 3)
    assert (truth[:30][near] == truth[30:, None]).mean() > 0.9
    third = map_store(store, method=method)
    assert (third.added, third.xy.tobytes()) == (0, second.xy.tobytes())
    assert map_store(store, method=method, refit=True).is_new
    if method == "pca":
        unit = rows[:30] / np.linalg.norm(rows[:30], axis=1, keepdims=True)
        np.testing.assert_allclose(first.xy, principal_of(unit, 2)(unit), atol=1e-4)


def test_copies_and_moved_files_share_a_point(tmp_path):
    rows, _ = blobs(2, 6)
    store = images_of(tmp_path / "s.vf", rows)
    before = map_store(store)
    with writer_of(store, layers=(before.reader.space.layer,)) as writer:
        writer.finish(done(item_of("/q/copy.png", content="/p/0003.png")), 1)
    after = map_store(store)
    assert after.added == 0
    assert after.reader.join.uris[-1] == "/q/copy.png"
    assert after.xy[-1].tolist() == before.xy[3].tolist()


def test_what_cannot_be_mapped_is_said(tmp_path):
    with pytest.raises(UsageError, match="holds no features yet"):
        map_store(FeatureStore.create_or_open(tmp_path / "empty.vf"))
    store = images_of(tmp_path / "s.vf", np.eye(3, dtype=np.float32))
    with pytest.raises(UsageError, match="--method tsne"):
        map_store(store, method="tsne")


def test_points_with_pictures_are_spread_over_the_map():
    rng = np.random.default_rng(0)
    xy = np.concatenate([rng.normal(0, 0.01, (5000, 2)), [[9, 9], [-9, 9], [3, -7]]]).astype(np.float32)
    chosen = spread(xy, 100)
    assert len(set(chosen.tolist())) == 100
    assert {5000, 5001, 5002} <= set(chosen.tolist())
    assert spread(xy[:7], 100).tolist() == list(range(7))
    kept = apart(xy, chosen, 1.0, 50)
    gaps = np.abs(xy[kept][:, None] - xy[kept][None]).max(axis=2) + 9 * np.eye(len(kept))
    assert gaps.min() >= 1.0


def hostile(tmp_path, count=12):
    """Pictures in folders, one with a name that would end a script, and the store of their rows."""
    rows, _ = blobs(3, count // 3)
    vectors = {}
    for n in range(count):
        folder = tmp_path / f"kind {n % 3}"
        folder.mkdir(exist_ok=True)
        path = folder / ("<script>alert('1')<&amp;.png" if n == 0 else f"{n}.png")
        Image.new("RGB", (160, 120), (20 * n, 90, 30)).save(path)
        vectors[str(path)] = rows[n : n + 1]
    return store_of(tmp_path / "s.vf", vectors), vectors


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_holds_all_points_and_pictures_and_no_markup_of_names(tmp_path):
    store, vectors = hostile(tmp_path)
    page = save_page(shown_points(map_store(store)), tmp_path / "m.html").read_text("utf-8")
    assert page.count("<script") == 2
    assert "http" not in page
    data = data_of(page)
    assert len(data["x"]) == len(data["y"]) == len(data["item"]) == len(data["group"]) == len(vectors)
    assert sorted(data["names"]) == sorted(path.rpartition("/")[2] for path in vectors)
    assert data["groups"] == ["kind 0", "kind 1", "kind 2"]
    assert [data["groups"][one] for one in data["group"]] == [path.split("/")[-2] for path in sorted(vectors)]
    assert min(data["x"]) >= 0
    assert max(data["y"]) <= 10_000
    assert len(data["pictures"]) == len(vectors)
    for index, (path, picture) in enumerate(zip(sorted(vectors), data["pictures"].values(), strict=True)):
        shown = Image.open(io.BytesIO(base64.b64decode(picture)))
        assert shown.size == (96, 72)
        assert data["names"][data["item"][index]] == path.rpartition("/")[2]
        with Image.open(path) as original:
            assert np.abs(np.array(shown.getpixel((40, 30))) - original.getpixel((80, 60))).max() < 8


def test_pictures_in_a_page_are_bounded_and_files_that_are_gone_have_none(tmp_path):
    store, vectors = hostile(tmp_path)
    points = shown_points(map_store(store))
    few = data_of(save_page(points, tmp_path / "few.html", most_pictures=5).read_text("utf-8"))
    assert len(few["pictures"]) == 5
    for path in list(vectors)[:4]:
        (tmp_path / path).unlink()
    left = data_of(save_page(points, tmp_path / "left.html").read_text("utf-8"))
    assert (len(left["pictures"]), len(left["x"])) == (8, 12)


def test_the_script_is_one(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    script = tmp_path / "page.js"
    script.write_text((files("visfeat.maps") / "page.js").read_text("utf-8"), "utf-8")
    done = subprocess.run([node, "--check", str(script)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_script_moves_zooms_points_and_finds(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    store, vectors = hostile(tmp_path)
    found = map_store(store)
    page = save_page(shown_points(found), tmp_path / "m.html")
    runner = Path(__file__).parent / "map_page.js"
    done = subprocess.run([node, str(runner), str(page)], check=False, capture_output=True, text=True)
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert (told["title"], told["groups"]) == ("12 items by PCA", 3)
    assert told["all"]["dots"] == told["back"]["dots"] == len(vectors)
    assert told["all"]["pictures"] == told["back"]["pictures"] > 0
    assert 0 < told["close"]["dots"] < len(vectors)
    assert told["away"] == {"dots": 0, "pictures": 0}
    assert (told["shown"], told["name"]) == (True, sorted(vectors)[0].rpartition("/")[2])
    assert told["found"]["dots"] == 1


def test_every_element_that_the_script_names_is_in_the_page():
    own = files("visfeat.maps")
    script, page = ((own / name).read_text("utf-8") for name in ("page.js", "page.html"))
    wanted = set(re.findall(r'(?:element|getElementById)\("([\w-]+)"\)', script))
    assert len(wanted) > 8
    assert wanted <= set(re.findall(r'id="([\w-]+)"', page))


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["map", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def test_the_command_draws_and_lists(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    store, vectors = hostile(tmp_path)
    png, svg, table = tmp_path / "m.png", tmp_path / "m.svg", tmp_path / "m.csv"
    code, out, _ = run(capsys, store.path, "--png", png, "--svg", svg, "--csv", table)
    assert (code, out.count("\n")) == (0, 1)
    assert "12 items by PCA: made now" in out
    with Image.open(png) as picture:
        assert picture.width > 1000
    assert "kind 2" in svg.read_text("utf-8")
    assert len(table.read_text("utf-8").splitlines()) == len(vectors) + 1
    code, out, _ = run(capsys, store.path, "--json")
    points = json.loads(out)
    assert [set(one) for one in points] == [{"uri", "start_s", "x", "y"}] * len(vectors)
    code, _, err = run(capsys, store.path, "--png", tmp_path / "m.jpg")
    assert (code, err.count("\n")) == (2, 1)
