"""Our scores without torch are torchmetrics'."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional import classification as tm

from visfeat.class_groups import softmax
from visfeat.train.curves import precision_recall, reliability
from visfeat.train.metrics import classification, confusion_matrix, multilabel, per_class

CLASSES = 8


@pytest.fixture(params=[0, 1])
def case(request):
    random = np.random.default_rng(request.param)
    targets = random.integers(0, CLASSES, 300)
    logits = (random.normal(size=(300, CLASSES)) + 1.5 * np.eye(CLASSES)[targets]).astype(np.float32)
    return targets, logits


def test_of_one_class_each(case):
    targets, logits = case
    given = torch.from_numpy(logits), torch.from_numpy(targets)
    matrix = confusion_matrix(targets, logits.argmax(axis=1), CLASSES)
    assert np.array_equal(matrix, tm.multiclass_confusion_matrix(*given, CLASSES).numpy())
    found = classification(targets, logits)
    for k in (1, 5):
        expected = tm.multiclass_accuracy(*given, CLASSES, average="micro", top_k=k)
        assert found[f"top{k}"] == pytest.approx(float(expected))
    assert found["macro_f1"] == pytest.approx(float(tm.multiclass_f1_score(*given, CLASSES)))
    scores = per_class(matrix)
    np.testing.assert_allclose(scores["precision"], tm.multiclass_precision(*given, CLASSES, average=None), rtol=1e-5)
    np.testing.assert_allclose(scores["recall"], tm.multiclass_recall(*given, CLASSES, average=None), rtol=1e-5)


def test_curves(case):
    targets, logits = case
    shares = softmax(logits)
    given = torch.from_numpy(shares), torch.from_numpy(targets)
    found = reliability(shares.max(axis=1), shares.argmax(axis=1) == targets)
    assert found.error == pytest.approx(float(tm.multiclass_calibration_error(*given, CLASSES, n_bins=10)), abs=1e-6)
    average = tm.multiclass_average_precision(*given, CLASSES, average=None)
    for n in range(CLASSES):
        assert precision_recall(shares[:, n], targets == n).average == pytest.approx(float(average[n]), abs=1e-6)


def test_of_several_labels_at_once():
    random = np.random.default_rng(0)
    targets = (random.random((100, 4)) < 0.4).astype(np.float32)
    logits = (random.normal(size=(100, 4)) + targets).astype(np.float32)
    given = torch.from_numpy(logits), torch.from_numpy(targets).int()
    found = multilabel(targets, logits)
    assert found["accuracy"] == pytest.approx(float(tm.multilabel_accuracy(*given, 4, average="micro")))
    assert found["macro_f1"] == pytest.approx(float(tm.multilabel_f1_score(*given, 4)))
    assert found["exact"] == pytest.approx(float(tm.multilabel_exact_match(*given, 4)))
