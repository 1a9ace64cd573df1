"""Curves of classifiers against scikit-learn's and against plain counting."""

from __future__ import annotations

import numpy as np
import pytest

from visfeat.train.curves import MOST_POINTS, precision_recall, reliability

metrics = pytest.importorskip("sklearn.metrics")


@pytest.mark.parametrize("decimals", [1, 6])
def test_precision_and_recall(decimals):
    random = np.random.default_rng(0)
    positive = random.random(150) < 0.3
    scores = np.round(random.normal(size=150) + positive, decimals)
    found = precision_recall(scores, positive)
    assert found.average == pytest.approx(metrics.average_precision_score(positive, scores))
    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    # scikit-learn's goes from all to none and ends with a point that no threshold gives.
    np.testing.assert_allclose(found.precision, precision[:-1][::-1])
    np.testing.assert_allclose(found.recall, recall[:-1][::-1])


def test_a_class_that_never_occurs_has_no_curve():
    assert precision_recall(np.ones(3), np.zeros(3, bool)) is None


def test_long_curves_keep_their_ends():
    random = np.random.default_rng(0)
    found = precision_recall(random.random(5000), random.random(5000) < 0.5)
    assert len(found.recall) == MOST_POINTS
    assert found.recall[-1] == 1


def test_reliability_by_counting():
    confidence = np.array([0.95, 0.91, 0.55, 0.52, 1.0])
    right = np.array([True, False, True, True, True])
    found = reliability(confidence, right)
    assert found.answers == (2, 3)
    assert found.confidence == pytest.approx((0.535, (0.95 + 0.91 + 1) / 3))
    assert found.accuracy == pytest.approx((1, 2 / 3))
    assert found.error == pytest.approx((2 * 0.465 + abs(2.86 - 2)) / 5)
