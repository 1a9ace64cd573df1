"""Scores of classifiers against scikit-learn's and against plain counting."""

from __future__ import annotations

import numpy as np
import pytest

from visfeat.train.metrics import bootstrap, classification, confusion_matrix, multilabel, per_class, top_k

metrics = pytest.importorskip("sklearn.metrics")


@pytest.fixture(params=[0, 1])
def case(request):
    random = np.random.default_rng(request.param)
    targets = random.integers(0, 7, 200)
    logits = random.normal(size=(200, 7)) + 1.5 * np.eye(7)[targets]
    return targets, logits


def test_the_confusion_matrix(case):
    targets, logits = case
    expected = metrics.confusion_matrix(targets, logits.argmax(axis=1), labels=range(7))
    assert np.array_equal(confusion_matrix(targets, logits.argmax(axis=1), 7), expected)


def test_precision_recall_and_f1_of_each_class(case):
    targets, logits = case
    found = per_class(confusion_matrix(targets, logits.argmax(axis=1), 7))
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(targets, logits.argmax(axis=1))
    np.testing.assert_allclose(found["precision"], precision)
    np.testing.assert_allclose(found["recall"], recall)
    np.testing.assert_allclose(found["f1"], f1)


def test_the_scores_of_a_classifier(case):
    targets, logits = case
    found = classification(targets, logits)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert found["top1"] == pytest.approx(metrics.accuracy_score(targets, logits.argmax(axis=1)))
    assert found["top5"] == pytest.approx(metrics.top_k_accuracy_score(targets, logits, k=5))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(targets, logits.argmax(axis=1), average="macro"))
    assert found["cross_entropy"] == pytest.approx(metrics.log_loss(targets, probabilities))


def test_several_labels_at_once():
    random = np.random.default_rng(0)
    targets = (random.random((100, 4)) < 0.4).astype(np.float32)
    logits = random.normal(size=(100, 4)) + targets
    found = multilabel(targets, logits)
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(targets, logits > 0, average="macro"))
    assert found["exact"] == pytest.approx(metrics.accuracy_score(targets, logits > 0))


def test_of_equal_values_the_lower_class_comes_first():
    logits = np.zeros((3, 4))
    assert top_k(np.array([0, 1, 3]), logits, 1).tolist() == [True, False, False]
    assert top_k(np.array([0, 1, 3]), logits, 2).tolist() == [True, True, False]


def test_the_interval_of_a_share_is_that_of_the_binomial():
    right = np.arange(400) < 300
    found = bootstrap(np.arange(400), lambda chosen: float(right[chosen].mean()))
    assert found.value == 0.75
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert found.low == pytest.approx(0.75 - half, abs=0.01)
    assert found.high == pytest.approx(0.75 + half, abs=0.01)


def test_whole_groups_are_drawn():
    groups = np.repeat(np.arange(20), 10)
    right = np.repeat(np.arange(20) < 15, 10)
    alone = bootstrap(np.arange(200), lambda chosen: float(right[chosen].mean()))
    grouped = bootstrap(groups, lambda chosen: float(right[chosen].mean()))
    assert grouped.high - grouped.low > 2.5 * (alone.high - alone.low)
