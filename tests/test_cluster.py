"""Clusters against rows whose groups are known, and against scikit-learn's own numbers."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image

from space_made import agree, blobs, images_of, store_of
from visfeat.cli.main import main
from visfeat.cluster import cluster
from visfeat.cluster.density import NOISE, fit_densities
from visfeat.cluster.exemplars import exemplars
from visfeat.cluster.kmeans import choose_k, fit_centers, nearest_center
from visfeat.errors import UsageError
from visfeat.store.feature_store import FeatureStore
from visfeat.store.join import Join

pytest.importorskip("sklearn")


def test_nearest_center_follows_the_formula():
    rng = np.random.default_rng(1)
    rows, centers = rng.normal(size=(300, 7)).astype(np.float32), rng.normal(size=(5, 7)).astype(np.float32)
    exact = np.linalg.norm(rows[:, None].astype(float) - centers[None], axis=2)
    label, distance = nearest_center(rows, centers)
    assert label.tolist() == exact.argmin(axis=1).tolist()
    np.testing.assert_allclose(distance, exact.min(axis=1), rtol=1e-4)


def test_silhouettes_are_those_of_scikit_learn_and_choose_the_number_of_groups():
    from sklearn.metrics import silhouette_score

    rows, truth = blobs(5, 30)
    scores = choose_k(rows, seed=0)
    assert max(scores, key=scores.get) == 5
    assert scores[5] == pytest.approx(silhouette_score(rows, truth), abs=1e-5)


@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
def test_known_groups_come_out_with_their_centers(tmp_path, method):
    rows, truth = blobs(4, 25)
    store = images_of(tmp_path / "s.vf", rows)
    found = cluster(store, method=method)
    assert agree(found.label, truth)
    assert [one.rows for one in found.clusters] == [25, 25, 25, 25]
    assert found.noise == 0
    for one in found.clusters:
        own = rows[found.label == one.number]
        distance = np.linalg.norm(own - own.mean(axis=0, dtype=float), axis=1)
        np.testing.assert_allclose(np.sort(found.distance[found.label == one.number]), np.sort(distance), atol=1e-4)
        assert [member.distance for member in one.exemplars] == pytest.approx(np.sort(distance)[:6], abs=1e-4)


def test_lengths_of_vectors_count_nothing_and_the_seed_decides(tmp_path):
    rows, truth = blobs(3, 20)
    long = rows * np.linspace(0.1, 50, len(rows), dtype=np.float32)[:, None]
    store = images_of(tmp_path / "s.vf", long)
    first, second = (cluster(store, k=3, seed=7) for _ in range(2))
    assert agree(first.label, truth)
    assert first.label.tolist() == second.label.tolist()
    assert first.distance.tobytes() == second.distance.tobytes()


def test_clusters_are_numbered_by_size_and_count_items(tmp_path):
    rows, _ = blobs(3, 10, spread=0.01)
    rng = np.random.default_rng(0)
    video = np.eye(16)[[0] * 40] + rng.normal(0, 0.01, (40, 16))
    store = store_of(tmp_path / "s.vf", {"/v.mp4": video} | {f"/{n}.png": rows[n : n + 1] for n in range(len(rows))})
    found = cluster(store, k=3)
    assert [one.rows for one in found.clusters] == [50, 10, 10]
    assert [one.items for one in found.clusters] == [11, 10, 10]
    # A video of many rows is shown once as long as there are other items.
    assert len({member.uri for member in found.clusters[0].exemplars}) == 6


def test_noise_is_in_no_cluster(tmp_path):
    rows, truth = blobs(3, 30, spread=0.02)
    stray = np.eye(16, dtype=np.float32)[[10, 12]]
    found = cluster(images_of(tmp_path / "s.vf", np.concatenate([rows, stray])), method="hdbscan")
    assert found.label[-2:].tolist() == [NOISE, NOISE]
    assert np.isnan(found.distance[-2:]).all()
    assert found.noise == 2
    assert agree(found.label[:-2], truth)


def test_rows_that_were_not_fitted_go_where_they_are_near():
    rows, truth = blobs(3, 60, spread=0.03)
    fitted = fit_densities(rows[:120], 5)
    label = fitted.label_of(rows[120:])
    assert agree(np.concatenate([fitted.label, label[label >= 0]]), np.append(truth[:120], truth[120:][label >= 0]))
    assert (label >= 0).mean() > 0.9
    assert fitted.label_of(rows[:120]).tolist() == fitted.label.tolist()
    assert fitted.label_of(np.eye(16, dtype=np.float32)[[9]]).tolist() == [NOISE]


def test_exemplars_are_the_nearest_of_different_items_and_contents():
    items = np.array([0, 0, 0, 1, 2, 3], np.int32)
    offsets = np.array([0, 1, 2, 3, 3, 4])  # items 1 and 2 are copies
    join = Join(("a", "b", "c", "d"), (None,) * 4, items, offsets)
    distance = np.array([0.1, 0.2, 0.3, 0.4, 0.4, 0.5], np.float32)
    assert exemplars(join, np.arange(6), distance, 3).tolist() == [0, 3, 5]
    assert exemplars(join, np.arange(6), distance, 4).tolist() == [0, 1, 3, 5]
    assert exemplars(join, np.arange(6), distance, 9).tolist() == [0, 1, 2, 3, 5]


def test_fewer_different_rows_than_clusters(tmp_path):
    rows = np.eye(4, dtype=np.float32)[[0, 0, 0, 1, 1, 1]]
    found = cluster(images_of(tmp_path / "s.vf", rows), k=5)
    assert [one.rows for one in found.clusters] == [3, 3]
    assert len(fit_centers(rows, 5, 0)) == 5
    auto = cluster(images_of(tmp_path / "t.vf", np.ones((6, 4))))
    assert [one.rows for one in auto.clusters] == [6]


def test_what_cannot_be_clustered_is_said(tmp_path):
    empty = FeatureStore.create_or_open(tmp_path / "empty.vf")
    with pytest.raises(UsageError, match="holds no features yet"):
        cluster(empty)
    store = images_of(tmp_path / "s.vf", np.eye(3, dtype=np.float32))
    with pytest.raises(UsageError, match="-k 4: must be between 1 and 3"):
        cluster(store, k=4)
    with pytest.raises(UsageError, match="too few to choose by"):
        cluster(store)
    with pytest.raises(UsageError, match="HDBSCAN finds how many"):
        cluster(store, method="hdbscan", k=2)
    with pytest.raises(UsageError, match="no features of recipe nothing"):
        cluster(store, recipe="nothing")
    with pytest.raises(UsageError, match="--min-size 1"):
        cluster(store, method="hdbscan", min_size=1)
    assert cluster(store, method="hdbscan").clusters == ()


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["cluster", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def test_the_command_prints_and_writes(capsys, tmp_path):
    rows, _ = blobs(3, 8)
    vectors = {}
    for n in range(len(rows)):
        path = tmp_path / f"picture <{n}>.png"
        Image.new("RGB", (40, 30), (10 * n % 250, 80, 120)).save(path)
        vectors[str(path)] = rows[n : n + 1]
    store_of(tmp_path / "s.vf", vectors)
    csv_path, page, sheet = (tmp_path / f"out.{ending}" for ending in ("csv", "html", "png"))
    code, out, err = run(capsys, tmp_path / "s.vf", "--csv", csv_path, "--html", page, "--png", sheet)
    assert code == 0
    assert "3 clusters by kmeans" in out
    assert "mean silhouette by k: 2: " in out
    assert err.split("\n")[:3] == [str(csv_path), str(page), str(sheet)]
    with csv_path.open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert {row["uri"] for row in table} == vectors.keys()
    assert sorted(row["cluster"] for row in table) == ["0"] * 8 + ["1"] * 8 + ["2"] * 8
    text = page.read_text("utf-8")
    assert text.count("<figure") == 18
    assert "picture &lt;" in text
    assert "picture <" not in text
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
    code, out, _ = run(capsys, tmp_path / "s.vf", "-k", 2, "--json", "--exemplars", 1)
    clusters = json.loads(out)
    assert [(one["cluster"], one["rows"], len(one["exemplars"])) for one in clusters] == [(0, 16, 1), (1, 8, 1)]
    assert set(clusters[0]["exemplars"][0]) == {"uri", "start_s", "end_s", "distance"}


@pytest.mark.parametrize(
    ("options", "message"),
    [(["-k", "many"], "-k many"), (["--method", "dbscan"], "--method dbscan"), (["--png", "a.jpg"], "a.jpg")],
)
def test_wrong_usage_is_one_line(capsys, tmp_path, options, message):
    images_of(tmp_path / "s.vf", np.eye(8, dtype=np.float32))
    code, out, err = run(capsys, tmp_path / "s.vf", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
