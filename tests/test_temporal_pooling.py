"""Ways of pooling rows over time, each against its formula written out, and what a recipe may ask for."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from visfeat.errors import MissingExtra, ModelError, UsageError
from visfeat.recipe import Recipe
from visfeat.temporal.attention import attend_to_mean, attention_of, random_attention
from visfeat.temporal.moments import maximum, mean, std
from visfeat.temporal.pooling import resolve_pooled
from visfeat.temporal.rows import PART_ROWS
from visfeat.temporal.seeded import seeded
from visfeat.temporal.vlad import learn_centers, vlad
from visfeat.temporal.weights import keep_weights, read_weights

ROWS = Recipe(model="fake/net", weights_digest="ab", layers=("pool",))
SHAPES = {"pool": (4,)}


def values(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, *shape)).astype(np.float32)


def resolved(shapes=SHAPES, learn=None, **fields):
    return resolve_pooled(ROWS.but(**fields), ROWS, shapes, learn)


# Moments.


@given(
    count=st.sampled_from([1, 2, 5, PART_ROWS, PART_ROWS + 1, 3 * PART_ROWS]), shape=st.sampled_from([(3,), (2, 2, 2)])
)
def test_moments_are_those_of_all_rows_at_once(count: int, shape: tuple[int, ...]) -> None:
    rows = values(count, *shape) * 10 + 100
    exact = rows.astype(np.float64)
    np.testing.assert_allclose(mean(rows), exact.sum(axis=0) / count, rtol=1e-12)
    np.testing.assert_array_equal(maximum(rows), exact.max(axis=0))
    np.testing.assert_allclose(std(rows), np.sqrt(((exact - exact.mean(axis=0)) ** 2).sum(axis=0) / count), atol=1e-10)


def test_the_deviation_of_one_row_is_zero_and_that_of_large_values_does_not_cancel() -> None:
    assert np.array_equal(std(values(1, 4)), np.zeros(4))
    # In float32, or as mean of squares minus square of mean, nothing of this is left.
    np.testing.assert_allclose(std(np.array([[1e6], [1e6 + 1]], np.float32)), [0.5], rtol=1e-9)


# Attention.


def softmax_by_loop(scores: list[float]) -> list[float]:
    total = sum(np.exp(score) for score in scores)
    return [float(np.exp(score) / total) for score in scores]


@pytest.mark.parametrize("count", [1, 3, PART_ROWS + 7])
def test_attention_without_a_model_asks_with_the_mean_row(count: int) -> None:
    rows = values(count, 4).astype(np.float64)
    query = rows.mean(axis=0)
    weights = softmax_by_loop([float(query @ row) / np.sqrt(4) for row in rows])
    np.testing.assert_allclose(
        attend_to_mean(rows), sum(w * row for w, row in zip(weights, rows, strict=True)), rtol=1e-9
    )


@pytest.mark.parametrize("count", [1, 3, PART_ROWS + 7])
def test_learned_attention_is_additive(count: int) -> None:
    rows = values(count, 4)
    saved = random_attention(4, seed=2)
    w, b, v = saved["project.weight"], saved["project.bias"], saved["score.weight"][0]
    weights = softmax_by_loop([float(v @ np.tanh(w @ row + b)) for row in rows.astype(np.float64)])
    expected = sum(weight * row for weight, row in zip(weights, rows.astype(np.float64), strict=True))
    attention = attention_of({f"pool.{name}": value for name, value in saved.items()}, subject="x")
    np.testing.assert_allclose(attention(rows), expected, rtol=1e-9)


def test_attention_does_not_overflow() -> None:
    with np.errstate(over="raise", invalid="raise"):
        assert np.isfinite(attend_to_mean(np.full((3, 4), 1e4, np.float32))).all()


# VLAD.


def vlad_by_loop(rows: np.ndarray, centers: np.ndarray) -> np.ndarray:
    sums = np.zeros(centers.shape)
    for row in rows.astype(np.float64):
        nearest = min(range(len(centers)), key=lambda k: float(((row - centers[k]) ** 2).sum()))
        sums[nearest] += row - centers[nearest]
    rooted = np.array([np.sign(x) * np.sqrt(abs(x)) for x in sums.reshape(-1)])
    return rooted / np.sqrt((rooted**2).sum())


@given(count=st.integers(1, 20), seed=st.integers(0, 100))
def test_vlad_is_what_loops_give(count: int, seed: int) -> None:
    rows, centers = values(count, 4, seed=seed), values(3, 4, seed=seed + 1000).astype(np.float64)
    np.testing.assert_allclose(vlad(rows, centers), vlad_by_loop(rows, centers), atol=1e-12)


def test_vlad_of_many_rows_is_that_of_their_parts() -> None:
    rows, centers = values(2 * PART_ROWS + 5, 4), values(3, 4, seed=9).astype(np.float64)
    np.testing.assert_allclose(vlad(rows, centers), vlad_by_loop(rows, centers), atol=1e-12)


def test_rows_that_are_centers_give_zeros() -> None:
    centers = values(2, 4).astype(np.float64)
    assert np.array_equal(vlad(centers, centers), np.zeros(8))


def test_centers_are_found_where_the_rows_are() -> None:
    around = np.array([[0, 0], [10, 0], [0, 10]], np.float32)
    rows = np.concatenate([center + 0.1 * values(30, 2, seed=n) for n, center in enumerate(around)])
    centers = learn_centers(rows, 3, seed=0)
    for center in around:
        assert np.linalg.norm(centers - center, axis=1).min() < 0.1


def test_fewer_different_rows_than_centers_are_refused_with_both_numbers() -> None:
    with pytest.raises(UsageError, match="2 different rows cannot give 3 centers"):
        learn_centers(np.array([[0, 0], [1, 1], [0, 0]], np.float32), 3, seed=0)


def test_learning_without_scikit_learn_names_its_extra(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(MissingExtra, match=r"pip install 'visfeat\[use\]'"):
        learn_centers(values(5, 2), 2, seed=0)


# What a recipe may ask for.


def test_a_pooled_recipe_is_its_rows_recipe_with_more() -> None:
    pooled = resolved(temporal="mean").recipe
    assert pooled.digest != ROWS.digest
    assert pooled.rows_recipe.digest == ROWS.digest


def test_shots_without_a_way_of_pooling_are_pooled_by_the_mean() -> None:
    said, unsaid = resolved(segments="shots", temporal="mean").recipe, resolved(segments="shots").recipe
    assert said.digest == unsaid.digest
    assert said.shots_digest is not None


def test_every_choice_is_another_digest() -> None:
    lstm = {"temporal": "lstm", "temporal_model": "random:0,hidden=2"}
    choices = [
        {"temporal": "mean"},
        {"temporal": "max"},
        {"segments": "shots"},
        {"temporal": "attention"},
        {"temporal": "attention", "temporal_model": "random:0"},
        lstm,
        lstm | {"temporal_rows": "steps"},
        lstm | {"temporal_model": "random:1,hidden=2"},
        lstm | {"temporal_model": "random:0,hidden=2,bidirectional"},
    ]
    assert len({resolved(**choice).recipe.digest for choice in choices}) == len(choices)


def test_the_final_state_is_what_is_kept_unless_said_otherwise() -> None:
    lstm = {"temporal": "lstm", "temporal_model": "random:0,hidden=2"}
    assert resolved(**lstm).recipe.digest == resolved(**lstm, temporal_rows="final").recipe.digest


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"temporal": "lstm"}, "--temporal-model: a trained RUN, a FILE of weights, or random:SEED"),
        ({"temporal": "mean", "temporal_model": "random:0"}, "mean has nothing to learn"),
        ({"temporal_model": "random:0"}, "--temporal-model: says nothing without --temporal"),
        ({"temporal_rows": "steps"}, "--temporal-rows: says nothing without --temporal"),
        ({"temporal": "max", "temporal_rows": "steps"}, "only an LSTM has steps"),
        ({"temporal": "mean", "top": 3}, "pooled rows have no class names"),
        ({"temporal": "vlad"}, "say --temporal-model FILE"),
        ({"temporal": "lstm", "temporal_model": "random:0,hiden=3"}, "did you mean hidden"),
        ({"temporal": "lstm", "temporal_model": "random:0,layers=0"}, "layers is a number from 1 on"),
        ({"temporal": "lstm", "temporal_model": "random:0,hidden=99999999"}, "too large for this computer"),
        ({"temporal": "lstm", "temporal_model": "random:x"}, "its form is random:SEED"),
        ({"temporal": "lstm", "temporal_model": "kmeans:0"}, "its form is random:SEED"),
        ({"temporal": "lstm", "temporal_model": "nowhere"}, "no trained run nowhere"),
    ],
)
def test_odd_mixtures_are_refused(fields: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        resolved(**fields)


def test_maps_are_no_vectors() -> None:
    assert resolved({"pool": (3, 2, 2)}, temporal="max").poolings["pool"].shape == (3, 2, 2)
    with pytest.raises(UsageError, match="rows of pool are 3 x 2 x 2"):
        resolved({"pool": (3, 2, 2)}, temporal="attention")


def test_a_model_of_another_width_is_refused_with_both_numbers(tmp_path: Path) -> None:
    save_file({"centers": np.zeros((2, 5))}, tmp_path / "words.safetensors")
    save_file(random_attention(6, seed=0), tmp_path / "attention.safetensors")
    with pytest.raises(ModelError, match="reads rows of 5 values, but those of pool have 4"):
        resolved(temporal="vlad", temporal_model=str(tmp_path / "words.safetensors"))
    with pytest.raises(ModelError, match="reads rows of 6 values, but those of pool have 4"):
        resolved(temporal="attention", temporal_model=str(tmp_path / "attention.safetensors"))
    with pytest.raises(ModelError, match="holds no LSTM"):
        resolved(temporal="lstm", temporal_model=str(tmp_path / "attention.safetensors"))


def test_a_random_model_fits_the_width_of_each_layer() -> None:
    shapes = {"a": (4,), "b": (7,)}
    poolings = resolved(shapes, temporal="lstm", temporal_model="random:0,hidden=3,layers=2,bidirectional").poolings
    for layer, (width,) in shapes.items():
        assert poolings[layer].apply(values(5, width)).shape == poolings[layer].shape == (6,)


def test_what_was_learned_counts_and_not_where_it_lies(tmp_path: Path) -> None:
    centers = {"centers": values(2, 4)}
    digests = []
    for name, saved in [("a", centers), ("b", centers), ("c", {"centers": centers["centers"] + 1})]:
        save_file(saved, tmp_path / f"{name}.safetensors")
        digests.append(resolved(temporal="vlad", temporal_model=str(tmp_path / f"{name}.safetensors")).recipe.digest)
    assert digests[0] == digests[1] != digests[2]


# Files.


def test_weights_come_back_as_they_were_and_the_first_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.safetensors"
    first = {"a": values(2, 3), "b": values(1, 2).astype(np.float64)}
    keep_weights(path, first)
    keep_weights(path, {"a": values(2, 3, seed=5)})
    back = read_weights(path)
    assert back.keys() == first.keys()
    assert all(np.array_equal(back[name], first[name]) and back[name].dtype == first[name].dtype for name in first)
    assert [file.name for file in path.parent.iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "damaged"), (b"\x08\0\0\0\0\0\0\0{}{}{}{}", "damaged"), (None, "no such file")]
)
def test_files_that_hold_no_weights_are_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        read_weights(path)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    save_file({"a": np.array([1.0, np.nan])}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="a .float64. does not hold finite numbers"):
        read_weights(tmp_path / "x.safetensors")


def test_a_seed_has_its_sizes_said_or_not() -> None:
    said = seeded("random:7,layers=2", "random", {"hidden": 256, "layers": 1}, ("bidirectional",))
    assert (said.seed, said.sizes) == (7, {"hidden": 256, "layers": 2, "bidirectional": 0})
    with pytest.raises(UsageError, match="layers=0"):
        seeded("random:7,layers=0", "random", {"layers": 1})
