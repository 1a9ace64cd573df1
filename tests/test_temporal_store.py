"""Pooling the rows of a store: what is written, what a second run does, what a partial or long video becomes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store_made import FACTS, LAYER, RECIPE, done, hash_of, item_of, rows_for, store_with, values_for, writer_of
from visfeat.errors import BrokenMedia, UsageError
from visfeat.extraction.progress import Progress
from visfeat.extraction.stored_rows import item_rows
from visfeat.extraction.temporal import pool_stored
from visfeat.media.item import Kind
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import LayerShape, Status
from visfeat.temporal.lstm import lstm_of, random_lstm
from visfeat.temporal.pooling import resolve_pooled
from visfeat.temporal.segments import ShotSpans

LENGTHS = {"a.mp4": 5, "b.mp4": 3, "c.png": 1}


def rows_in(uri: str, count: int) -> np.ndarray:
    return values_for(hash_of(uri), range(count), LAYER.shape)


def pooled(store: FeatureStore, uris=None, **kwargs):
    options = {name: kwargs.pop(name) for name in ("shots_of", "redo") if name in kwargs}
    return pool_stored(store, RECIPE.but(**kwargs), RECIPE.digest, uris, **options)


def test_each_video_becomes_its_mean_with_the_times_of_all_its_rows(tmp_path: Path) -> None:
    store = store_with(tmp_path / "s.vf", LENGTHS)
    recipe, progress, completed = pooled(store, temporal="mean")
    assert (completed, progress.done, progress.rows) == (True, 3, 3)
    values, table = store.features(recipe=recipe.digest)
    assert table["uri"].to_pylist() == list(LENGTHS)
    for value, (uri, count) in zip(values, LENGTHS.items(), strict=True):
        np.testing.assert_allclose(value, rows_in(uri, count).astype(np.float64).mean(axis=0), rtol=1e-7)
    assert table["start_s"].to_pylist() == [0.0, 0.0, None]
    assert table["end_s"].to_pylist() == [2.5, 1.5, None]
    assert table["frame_index"].to_pylist() == [0, 0, None]


def test_a_second_run_changes_nothing_and_a_redo_gives_the_same(tmp_path: Path) -> None:
    store = store_with(tmp_path / "s.vf", LENGTHS)
    recipe, _, _ = pooled(store, temporal="std")
    before = store.to_arrow(recipe=recipe.digest)
    _, again, _ = pooled(store, temporal="std")
    assert (again.unchanged, again.done, again.rows) == (3, 0, 0)
    assert store.to_arrow(recipe=recipe.digest).equals(before)
    _, redone, _ = pooled(store, temporal="std", redo=True)
    assert (redone.unchanged, redone.done) == (0, 3)
    assert store.to_arrow(recipe=recipe.digest).equals(before)


@settings(max_examples=8)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    how=st.sampled_from(["mean", "max", "std", "attention", "lstm"]),
)
def test_what_a_store_gives_is_what_its_rows_give(tmp_path_factory, lengths: list[int], how: str) -> None:
    store = store_with(tmp_path_factory.mktemp("s") / "s.vf", {f"{n}.mp4": count for n, count in enumerate(lengths)})
    model = {"temporal": how} | ({"temporal_model": "random:0,hidden=3"} if how == "lstm" else {})
    recipe, _, _ = pooled(store, **model)
    rows, table = store.features(recipe=RECIPE.digest)
    pooling = resolve_pooled(RECIPE.but(**model), RECIPE, {"pool": LAYER.shape}).poolings["pool"]
    bounds = np.cumsum([0, *lengths])
    expected = [pooling.apply(rows[first:stop]) for first, stop in pairwise(bounds)]
    found, names = store.features(recipe=recipe.digest)
    assert names["uri"].to_pylist() == sorted(set(table["uri"].to_pylist()))
    np.testing.assert_array_equal(found, np.array(expected, np.float32))


def test_an_interrupted_run_keeps_what_is_finished_and_goes_on_from_there(tmp_path: Path) -> None:
    store = store_with(tmp_path / "s.vf", LENGTHS)

    def interrupt(progress: Progress) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    _, progress, completed = pool_stored(store, RECIPE.but(temporal="mean"), RECIPE.digest, on_progress=interrupt)
    assert (completed, progress.done) == (False, 2)
    _, again, completed = pooled(store, temporal="mean")
    assert (completed, again.unchanged, again.done) == (True, 2, 1)


def test_rows_and_items_stay_as_they_are(tmp_path: Path) -> None:
    store = store_with(tmp_path / "s.vf", LENGTHS)
    items, rows = store.items(), store.to_arrow(recipe=RECIPE.digest)
    pooled(store, temporal="max")
    assert store.items().equals(items)
    assert store.to_arrow(recipe=RECIPE.digest).equals(rows)


def test_only_new_videos_are_pooled(tmp_path: Path) -> None:
    store = store_with(tmp_path / "s.vf", {"a.mp4": 5})
    pooled(store, temporal="mean")
    with writer_of(store) as writer:
        item = item_of("b.mp4", kind=Kind.VIDEO)
        writer.add(rows_for(item, range(3)))
        writer.finish(done(item), 3)
    recipe, progress, _ = pooled(store, temporal="mean")
    assert (progress.unchanged, progress.done) == (1, 1)
    assert len(store.features(recipe=recipe.digest)[0]) == 2


def test_rows_that_are_made_anew_take_what_was_pooled_of_them_along(tmp_path: Path) -> None:
    store = store_with(tmp_path / "s.vf", LENGTHS)
    recipe, _, _ = pooled(store, temporal="mean")
    item = item_of("a.mp4", kind=Kind.VIDEO)
    with store.writer(RECIPE, layers=(LAYER,), facts=FACTS, card_toml="", redo=True) as writer:
        writer.add(rows_for(item, range(2)))
        writer.finish(done(item), 2)
    _, again, _ = pooled(store, temporal="mean")
    assert (again.done, again.unchanged) == (1, 2)
    values, table = store.features(recipe=recipe.digest)
    assert table["uri"].to_pylist() == list(LENGTHS)
    np.testing.assert_allclose(values[0], rows_in("a.mp4", 2).mean(axis=0))


def test_copies_share_their_pooled_row(tmp_path: Path) -> None:
    store = FeatureStore.create_or_open(tmp_path / "s.vf")
    with writer_of(store) as writer:
        for uri in ("a.mp4", "b.mp4"):
            item = item_of(uri, content="same", kind=Kind.VIDEO)
            writer.add(rows_for(item, range(4)))
            writer.finish(done(item), 4)
    recipe, progress, _ = pooled(store, temporal="mean")
    assert (progress.done, progress.rows) == (2, 1)
    values, table = store.features(recipe=recipe.digest)
    assert table["uri"].to_pylist() == ["a.mp4", "b.mp4"]
    assert np.array_equal(values[0], values[1])


def test_what_is_partial_stays_so_and_what_failed_has_no_row(tmp_path: Path) -> None:
    store = FeatureStore.create_or_open(tmp_path / "s.vf")
    with writer_of(store) as writer:
        cut, broken = item_of("cut.mp4", kind=Kind.VIDEO), item_of("broken.mp4", kind=Kind.VIDEO)
        writer.add(rows_for(cut, range(2)))
        writer.finish(done(cut, Status.PARTIAL, "ends in the middle"), 2)
        writer.finish(done(broken, Status.FAILED, "no frame"), 0)
    recipe, progress, _ = pooled(store, temporal="mean")
    assert (progress.partial, progress.failed, progress.done) == (1, 1, 0)
    mine = [one for one in store.failures() if one["recipe"] == recipe.digest]
    assert [(one["uri"], one["reason"]) for one in mine] == [("cut.mp4", "ends in the middle")]
    _, again, _ = pooled(store, temporal="mean")
    assert (again.partial, again.failed, again.rows) == (1, 1, 0)


def test_items_are_those_asked_for(tmp_path: Path) -> None:
    store = store_with(tmp_path / "s.vf", LENGTHS)
    _, progress, _ = pooled(store, ["b.mp4", "never seen.mp4"], temporal="mean")
    assert (progress.done, progress.total) == (1, 1)


def test_a_store_without_the_rows_says_so(tmp_path: Path) -> None:
    store = FeatureStore.create_or_open(tmp_path / "s.vf")
    with pytest.raises(UsageError, match="has no rows of fake/net to pool"):
        pooled(store, temporal="mean")


def test_every_layer_is_pooled_also_maps(tmp_path: Path) -> None:
    recipe = RECIPE.but(layers=("pool", "map"), dtype="float16")
    layers = (LAYER, LayerShape("map", (2, 3, 3)))
    store = FeatureStore.create_or_open(tmp_path / "s.vf")
    item = item_of("a.mp4", kind=Kind.VIDEO)
    with writer_of(store, recipe, layers) as writer:
        for layer in layers:
            writer.add(rows_for(item, range(4), layer))
        writer.finish(done(item), 4)
    found, _, _ = pool_stored(store, recipe.but(temporal="max"), recipe.digest)
    for layer in layers:
        expected = values_for(item.content_hash, range(4), layer.shape).max(axis=0)
        np.testing.assert_array_equal(store.features(layer=layer.layer, recipe=found.digest)[0], expected[None])


def test_lstm_steps_have_the_rows_own_times_and_the_final_state_is_the_last_of_them(tmp_path: Path) -> None:
    store = store_with(tmp_path / "s.vf", LENGTHS)
    model = {"temporal": "lstm", "temporal_model": "random:3,hidden=6"}
    steps, _, _ = pooled(store, **model, temporal_rows="steps")
    final, _, _ = pooled(store, **model)
    by_step, table = store.features(recipe=steps.digest)
    last, _ = store.features(recipe=final.digest)
    rows = store.features(recipe=RECIPE.digest)[1]
    for column in ("uri", "start_s", "end_s", "frame_index"):
        assert table[column].equals(rows[column])
    assert by_step.shape == (9, 6)
    np.testing.assert_array_equal(last, by_step[[4, 7, 8]])
    lstm = lstm_of(random_lstm(4, hidden=6, layers=1, bidirectional=False, seed=3), subject="x")
    np.testing.assert_allclose(by_step[:5], lstm.run(rows_in("a.mp4", 5))[0], atol=1e-7)


def test_neighbors_do_not_matter(tmp_path: Path) -> None:
    model = {"temporal": "lstm", "temporal_model": "random:3,hidden=6,layers=2,bidirectional"}
    alone, among = store_with(tmp_path / "a.vf", {"a.mp4": 5}), store_with(tmp_path / "b.vf", LENGTHS)
    digests = [pooled(store, **model)[0].digest for store in (alone, among)]
    assert digests[0] == digests[1]
    np.testing.assert_array_equal(alone.features(recipe=digests[0])[0][0], among.features(recipe=digests[0])[0][0])


def test_rows_of_clips_are_pooled_and_then_are_of_no_clip(tmp_path: Path) -> None:
    recipe = RECIPE.but(clip=3)
    store = FeatureStore.create_or_open(tmp_path / "s.vf")
    item = item_of("a.mp4", kind=Kind.VIDEO)
    with writer_of(store, recipe) as writer:
        rows = rows_for(item, range(4))
        writer.add(replace(rows, frame_index=np.arange(12).reshape(4, 3)))
        writer.finish(done(item), 4)
    found, _, _ = pool_stored(store, recipe.but(temporal="mean"), recipe.digest)
    assert store.features(recipe=recipe.digest)[1]["frame_indices"].to_pylist()[1] == [3, 4, 5]
    values, table = store.features(recipe=found.digest)
    np.testing.assert_allclose(values, rows.values.mean(axis=0, keepdims=True))
    assert table.column_names == ["uri", "kind", "start_s", "end_s", "frame_index"]


# Vocabularies.


def test_a_vocabulary_is_learned_once_and_later_videos_are_described_by_it(tmp_path: Path) -> None:
    store = store_with(tmp_path / "s.vf", LENGTHS)
    model = {"temporal": "vlad", "temporal_model": "kmeans:0,centers=3"}
    first, _, _ = pooled(store, **model)
    before = store.features(recipe=first.digest)[0]
    with writer_of(store) as writer:
        item = item_of("z.mp4", kind=Kind.VIDEO)
        writer.add(rows_for(item, range(6)))
        writer.finish(done(item), 6)
    second, progress, _ = pooled(store, **model)
    assert second.digest == first.digest
    assert (progress.unchanged, progress.done) == (3, 1)
    assert pooled(store, redo=True, **model)[0].digest == first.digest
    np.testing.assert_array_equal(store.features(recipe=first.digest)[0][:3], before)
    assert before.shape == (3, 12)


def test_a_vocabulary_as_a_file_gives_the_same_rows_elsewhere(tmp_path: Path) -> None:
    store = store_with(tmp_path / "s.vf", LENGTHS)
    learned, _, _ = pooled(store, temporal="vlad", temporal_model="kmeans:0,centers=3")
    (file,) = (store.path / "vocabularies").iterdir()
    other = store_with(tmp_path / "t.vf", LENGTHS)
    given, _, _ = pooled(other, temporal="vlad", temporal_model=str(file))
    np.testing.assert_array_equal(other.features(recipe=given.digest)[0], store.features(recipe=learned.digest)[0])


def test_a_vocabulary_of_more_centers_than_rows_is_refused(tmp_path: Path) -> None:
    store = store_with(tmp_path / "s.vf", LENGTHS)
    with pytest.raises(UsageError, match="9 different rows cannot give 16 centers"):
        pooled(store, temporal="vlad")


# Shots.


def shots_by_content(bounds: list[float]):
    return lambda uri, content_hash: ShotSpans(np.array(bounds[:-1]), np.array(bounds[1:]))


def test_each_shot_becomes_one_row_that_lasts_as_long(tmp_path: Path) -> None:
    store = store_with(tmp_path / "s.vf", LENGTHS)
    recipe, progress, _ = pooled(store, ["a.mp4", "c.png"], segments="shots", shots_of=shots_by_content([0, 1.2, 2.5]))
    assert (progress.done, progress.rows) == (2, 3)
    values, table = store.features(recipe=recipe.digest)
    rows = rows_in("a.mp4", 5)
    # The middles of the rows are at 0.25, 0.75, 1.25, ....
    np.testing.assert_allclose(values, [rows[:2].mean(axis=0), rows[2:].mean(axis=0), rows_in("c.png", 1)[0]])
    assert table["start_s"].to_pylist() == [0.0, 1.2, None]
    assert table["end_s"].to_pylist() == [1.2, 2.5, None]
    assert table["frame_index"].to_pylist() == [0, 24, None]


def test_a_shot_without_a_row_makes_the_video_partial_and_says_how_many(tmp_path: Path) -> None:
    store = FeatureStore.create_or_open(tmp_path / "s.vf")
    with writer_of(store) as writer:
        item = item_of("a.mp4", kind=Kind.VIDEO)
        writer.add(rows_for(item, range(2)))
        writer.finish(done(item), 2)
    recipe, progress, _ = pooled(store, segments="shots", shots_of=shots_by_content([0, 1, 2, 3]))
    assert (progress.partial, progress.rows) == (1, 1)
    (failure,) = store.failures()
    assert failure["recipe"] == recipe.digest
    assert str(failure["reason"]).startswith("no row lies in 2 of 3 shots; --frames-per-shot 1")


def test_shots_that_cannot_be_found_fail_the_video_alone_and_are_tried_again(tmp_path: Path) -> None:
    store = store_with(tmp_path / "s.vf", LENGTHS)

    def broken(uri: str, content_hash: str) -> ShotSpans:
        if uri == "a.mp4":
            raise BrokenMedia("a hole in it")
        return ShotSpans(np.array([0.0]), np.array([9.0]))

    recipe, progress, _ = pooled(store, segments="shots", shots_of=broken)
    assert (progress.failed, progress.done) == (1, 2)
    assert [one["reason"] for one in store.failures()] == ["its shots cannot be found: a hole in it"]
    _, again, _ = pooled(store, segments="shots", shots_of=shots_by_content([0, 9]))
    assert (again.failed, again.done, again.unchanged) == (0, 1, 2)
    assert len(store.features(recipe=recipe.digest)[0]) == 3


# Long videos.


def test_a_video_too_long_to_be_held_is_read_in_parts(tmp_path: Path) -> None:
    shape = LayerShape("pool", (4096,))
    store = FeatureStore.create_or_open(tmp_path / "s.vf")
    item, short = item_of("long.mp4", kind=Kind.VIDEO), item_of("short.mp4", kind=Kind.VIDEO)
    count = 5000  # of 16 kB each: more than the 64 MB that are read at once
    with writer_of(store, RECIPE, (shape,)) as writer:
        for start in range(0, count, 1000):
            writer.add(rows_for(item, range(start, start + 1000), shape))
        writer.add(rows_for(short, range(2), shape))
        writer.finish(done(item), count)
        writer.finish(done(short), 2)
    reader = store.reader()
    kinds = {one.uri: type(one.rows["pool"]).__name__ for one in item_rows({"pool": reader}, reader.join.uris)}
    assert kinds == {"long.mp4": "StoredRows", "short.mp4": "ndarray"}
    recipe, _, _ = pooled(store, temporal="mean")
    values, table = store.features(recipe=recipe.digest)
    expected = [rows_mean(item.content_hash, count), rows_mean(short.content_hash, 2)]
    np.testing.assert_allclose(values[:, 0], expected, rtol=1e-6)
    assert table["end_s"].to_pylist() == [count / 2, 1.0]


def rows_mean(content_hash: str, count: int) -> float:
    """The mean of the first value over rows 0 to count - 1: made of a base and 7 a position."""
    return int(content_hash[:2], 16) + 7 * (count - 1) / 2
