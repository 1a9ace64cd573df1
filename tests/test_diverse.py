"""Picking the most different: against brute force, and the bound that the method promises."""

from __future__ import annotations

import itertools
import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from space_made import blobs, images_of, store_of
from visfeat.cli.main import main
from visfeat.diverse import farthest_first, pick_at_random, pick_diverse
from visfeat.errors import UsageError
from visfeat.store.feature_store import FeatureStore


def radius(values, centers):
    """How far the row that is farthest from all centers is from the nearest."""
    return np.linalg.norm(values[:, None] - values[list(centers)][None], axis=2).min(axis=1).max()


@given(st.integers(0, 1000), st.integers(1, 4))
def test_no_choice_covers_more_than_twice_as_well(seed, count):
    values = np.random.default_rng(seed).normal(size=(9, 3)).astype(np.float32)
    order, distance, covered = farthest_first(values, np.arange(9), count)
    best = min(radius(values, chosen) for chosen in itertools.combinations(range(9), count))
    assert radius(values, order) <= 2 * best + 1e-4
    assert covered == pytest.approx(radius(values, order), abs=2e-3)
    assert (np.diff(distance[1:]) <= 1e-4).all()


def test_each_one_is_the_farthest_from_those_before_it():
    values = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    order, distance, _ = farthest_first(values, np.arange(200), 20)
    assert order[0] == np.linalg.norm(values - values.mean(axis=0), axis=1).argmin()
    for n in range(1, 20):
        gaps = np.linalg.norm(values[:, None] - values[order[:n]][None], axis=2).min(axis=1)
        assert order[n] == gaps.argmax()
        assert distance[n] == pytest.approx(gaps.max(), rel=1e-3)


def test_the_first_picks_are_of_all_groups_and_items_come_once(tmp_path):
    rows, truth = blobs(6, 20)
    store = images_of(tmp_path / "s.vf", rows)
    found = pick_diverse(store, 6)
    assert len({truth[int(one.uri[3:7])] for one in found.picks}) == 6
    assert len({one.uri for one in pick_diverse(store, 120).picks}) == 120
    video = store_of(tmp_path / "v.vf", {"/v.mp4": rows[:60], "/a.png": rows[60:61], "/b.png": rows[61:62]})
    picks = pick_diverse(video, 3).picks
    assert sorted(one.uri for one in picks) == ["/a.png", "/b.png", "/v.mp4"]
    assert [one.start_s is None for one in picks] == [one.uri != "/v.mp4" for one in picks]


def test_what_is_known_is_not_picked_and_its_like_comes_last(tmp_path):
    rows, truth = blobs(4, 10)
    store = images_of(tmp_path / "s.vf", rows)
    known = {f"/p/{n:04d}.png" for n in np.flatnonzero(truth == 2)[:3]}
    found = pick_diverse(store, 37, known=known)
    assert not known & {one.uri for one in found.picks}
    assert truth[int(found.picks[0].uri[3:7])] != 2
    assert len({truth[int(one.uri[3:7])] for one in found.picks[:3]} | {2}) == 4


def test_a_draw_has_equal_chances_whatever_the_number_of_rows(tmp_path):
    rows, _ = blobs(2, 30)
    store = store_of(tmp_path / "s.vf", {"/v.mp4": rows[:50], "/a.png": rows[50:51], "/b.png": rows[51:52]})
    first = [pick_at_random(store, 1, seed=seed).picks[0].uri for seed in range(150)]
    assert 25 < first.count("/v.mp4") < 75
    assert pick_at_random(store, 3, seed=1) == pick_at_random(store, 3, seed=1)


def test_what_cannot_be_picked_is_said(tmp_path):
    store = images_of(tmp_path / "s.vf", np.eye(3, dtype=np.float32))
    with pytest.raises(UsageError, match="-n 4: must be between 1 and 3, the items of the store"):
        pick_diverse(store, 4)
    with pytest.raises(UsageError, match="between 1 and 2, the items that are not labeled"):
        pick_diverse(store, 3, known={"/p/0000.png"})
    with pytest.raises(UsageError, match="holds no features yet"):
        pick_diverse(FeatureStore.create_or_open(tmp_path / "empty.vf"), 1)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["sample", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def test_the_command_lists_and_draws(capsys, tmp_path):
    rows, _ = blobs(3, 4)
    store = images_of(tmp_path / "s.vf", rows)
    labels = tmp_path / "labels.csv"
    labels.write_text("uri,label\n/p/0000.png,a\n", "utf-8")
    code, out, _ = run(capsys, store.path, "-n", 5, "--diverse", "--labels", labels, "--json")
    picks = json.loads(out)
    assert (code, len(picks)) == (0, 5)
    assert "/p/0000.png" not in {one["uri"] for one in picks}
    code, out, _ = run(
        capsys, store.path, "-n", 2, "--diverse", "--html", tmp_path / "s.html", "--png", tmp_path / "s.png"
    )
    assert code == 0
    assert "every row lies within" in out
    assert (tmp_path / "s.html").read_text("utf-8").count("<figure") == 2
    code, _, err = run(capsys, store.path, "-n", 0)
    assert (code, err.count("\n")) == (2, 1)
