"""Pooling against its formulas."""

from __future__ import annotations

import numpy as np
import pytest

from visfeat.card import LayerSpec
from visfeat.errors import UsageError
from visfeat.pool import check_pool, pool, pooled_shape, unit_length

RNG = np.random.default_rng(0)
MAP = LayerSpec(name="map", kind="map", shape=(3, 4, 5))
LAST = LayerSpec(name="last", kind="map", shape=(4, 5, 3), channels_last=True)
TOKENS = LayerSpec(name="tokens", kind="tokens", shape=(6, 3), prefix_tokens=2)
VECTOR = LayerSpec(name="vector", kind="vector", shape=(7,))


def values(spec: LayerSpec) -> np.ndarray:
    return RNG.standard_normal((2, *spec.shape)).astype(np.float32)


def test_avg_max_and_gem_of_a_map():
    x = values(MAP)
    assert np.allclose(pool(x, MAP, "avg"), x.mean(axis=(2, 3)))
    assert np.array_equal(pool(x, MAP, "max"), x.max(axis=(2, 3)))
    cubes = (np.maximum(x, 1e-6).astype(np.float64) ** 3).mean(axis=(2, 3))
    assert np.allclose(pool(x, MAP, "gem"), cubes ** (1 / 3), rtol=1e-5)


def test_channels_last_is_delivered_channels_first():
    x = values(LAST)
    first = np.moveaxis(x, -1, 1)
    assert np.array_equal(pool(x, LAST, "none"), first)
    assert np.array_equal(pool(x, LAST, "flatten"), first.reshape(2, -1))
    assert np.allclose(pool(x, LAST, "avg"), first.mean(axis=(2, 3)))


def test_prefix_tokens_are_no_patches():
    x = values(TOKENS)
    assert np.array_equal(pool(x, TOKENS, "cls"), x[:, 0])
    assert np.allclose(pool(x, TOKENS, "avg"), x[:, 2:].mean(axis=1))
    assert np.array_equal(pool(x, TOKENS, "tokens"), x[:, 2:])
    assert np.array_equal(pool(x, TOKENS, "none"), x)


def test_a_map_as_tokens_has_a_position_a_row():
    x = values(MAP)
    tokens = pool(x, MAP, "tokens")
    assert tokens.shape == (2, 20, 3)
    assert np.array_equal(tokens[0, 7], x[0, :, 1, 2])


@pytest.mark.parametrize("how", ["avg", "max", "gem", "cls", "tokens", "flatten", "none"])
def test_a_vector_is_what_it_is(how):
    x = values(VECTOR)
    assert np.array_equal(pool(x, VECTOR, how), x)


@pytest.mark.parametrize(
    ("spec", "how", "shape"),
    [
        (MAP, "avg", (3,)), (MAP, "none", (3, 4, 5)), (MAP, "flatten", (60,)), (MAP, "tokens", (20, 3)),
        (LAST, "none", (3, 4, 5)), (TOKENS, "tokens", (4, 3)), (TOKENS, "none", (6, 3)), (VECTOR, "none", (7,)),
    ],
)  # fmt: skip
def test_shape_is_known_before(spec, how, shape):
    assert pooled_shape(spec, how) == shape


CLIP = LayerSpec(name="clip", kind="map", shape=(3, 2, 4, 5))
CLIP_LAST = LayerSpec(name="clip last", kind="map", shape=(2, 4, 5, 3), channels_last=True)


def test_a_clip_is_pooled_over_space_and_time_at_once_or_one_after_the_other():
    x = values(CLIP)
    assert np.allclose(pool(x, CLIP, "avg"), x.mean(axis=(2, 3, 4)), atol=1e-6)
    assert np.allclose(pool(x, CLIP, "max", "avg"), x.max(axis=(3, 4)).mean(axis=2), atol=1e-6)
    assert np.allclose(pool(x, CLIP, "avg", "max"), x.mean(axis=(3, 4)).max(axis=2), atol=1e-6)
    by_step = np.moveaxis(x.mean(axis=(3, 4)), 2, 1)
    assert np.allclose(pool(x, CLIP, "avg", "none"), by_step, atol=1e-6)
    assert np.allclose(pool(np.moveaxis(x, 1, -1), CLIP_LAST, "avg", "none"), by_step, atol=1e-6)
    assert pool(x, CLIP, "none").shape == (2, 3, 2, 4, 5)
    assert pooled_shape(CLIP, "avg", "none") == (2, 3)


@pytest.mark.parametrize("how", ["avg", "max", "gem"])
@pytest.mark.parametrize("spec", [MAP, LAST, TOKENS, CLIP])
def test_neighbors_in_the_batch_change_no_bit(spec, how):
    x = RNG.standard_normal((5, *spec.shape)).astype(np.float32)
    alone = np.concatenate([pool(x[n : n + 1], spec, how) for n in range(5)])
    assert np.array_equal(pool(x, spec, how), alone)


def test_cls_needs_a_class_token():
    with pytest.raises(UsageError, match="no class token"):
        check_pool(MAP, "cls")
    with pytest.raises(UsageError, match="flatten"):
        check_pool(LayerSpec(name="odd", kind="other", shape=(1, 2, 3, 4)), "avg")


def test_unit_length_keeps_zeros():
    x = np.stack([np.zeros((2, 3)), values(VECTOR)[0, :6].reshape(2, 3)]).astype(np.float32)
    unit = unit_length(x)
    assert not unit[0].any()
    assert np.isclose(np.linalg.norm(unit[1]), 1.0)
    assert unit.dtype == np.float32
