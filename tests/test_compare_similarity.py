"""CKA and representational similarity against their formulas, and the laws that make them worth having."""

from __future__ import annotations

import numpy as np
import pytest

from visfeat.compare.similarity import between, debiased_cka, drawn_items, linear_cka, rsa, rsa_profile

pytest.importorskip("scipy")


@pytest.fixture
def pair():
    random = np.random.default_rng(0)
    first = random.normal(size=(40, 6))
    return first, np.tanh(first @ random.normal(size=(6, 9))) + 0.3 * random.normal(size=(40, 9))


def test_linear_cka_by_its_formula(pair):
    first, second = (one - one.mean(axis=0) for one in pair)
    norm = np.linalg.norm
    expected = norm(second.T @ first) ** 2 / (norm(first.T @ first) * norm(second.T @ second))
    assert linear_cka(*pair) == pytest.approx(expected, abs=1e-6)


def test_debiased_cka_by_the_sums_of_song(pair):
    """HSIC_1 of Song et al. 2012, equation 5, written out."""

    def hsic(one, other):
        k, m = (values @ values.T for values in (one, other))
        np.fill_diagonal(k, 0)
        np.fill_diagonal(m, 0)
        n, ones = len(k), np.ones(len(k))
        cross = (ones @ k @ ones) * (ones @ m @ ones) / ((n - 1) * (n - 2)) - 2 / (n - 2) * ones @ k @ m @ ones
        return (np.trace(k @ m) + cross) / (n * (n - 3))

    first, second = pair
    expected = hsic(first, second) / np.sqrt(hsic(first, first) * hsic(second, second))
    assert debiased_cka(first, second) == pytest.approx(expected, abs=1e-6)


def test_rsa_is_spearman_of_the_dissimilarities(pair):
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    expected = spearmanr(pdist(pair[0], "correlation"), pdist(pair[1], "correlation")).statistic
    assert rsa(*pair) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("alike", [linear_cka, debiased_cka])
def test_cka_sees_neither_rotation_nor_scale_nor_shift(pair, alike):
    first, second = pair
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(9, 9)))[0]
    assert alike(first, 5 * second @ rotation + 3) == pytest.approx(alike(first, second), abs=1e-6)
    assert alike(first, 2 * first) == pytest.approx(1, abs=1e-6)


def test_debiased_cka_of_what_has_nothing_in_common_is_about_0():
    random = np.random.default_rng(0)
    first, second = random.normal(size=(50, 200)), random.normal(size=(50, 300))
    assert linear_cka(first, second) > 0.7, "this is why it is debiased"
    assert abs(debiased_cka(first, second)) < 0.05


def test_too_few_items_tell_nothing():
    values = np.eye(3)
    assert debiased_cka(values, values) == 0
    assert np.isfinite(linear_cka(values, values))
    assert np.isfinite(rsa_profile(np.zeros((3, 2)))).all()


def test_all_pairs_at_once(pair):
    profiles = [rsa_profile(one) for one in pair]
    matrix = between(profiles)
    assert matrix.shape == (2, 2)
    assert matrix[0, 1] == pytest.approx(rsa(*pair), abs=1e-6)
    assert np.diag(matrix) == pytest.approx([1, 1], abs=1e-5)


def test_items_are_drawn_once_each_and_by_seed():
    assert drawn_items(5).tolist() == [0, 1, 2, 3, 4]
    first = drawn_items(100, seed=1, most=10)
    assert len(set(first.tolist())) == 10
    assert first.tolist() == drawn_items(100, seed=1, most=10).tolist() != drawn_items(100, seed=2, most=10).tolist()
