"""Classes that exclude each other, all, within heads or not at all: probabilities and the likeliest ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from visfeat.class_groups import card_groups, groups_of, head_slices, likeliest, probabilities
from visfeat.extraction.vectors import top_labels
from visfeat.models.bundled import BundledModels
from visfeat.models.source import ModelRequest

CLASSES = ("color=blue", "color=red", "size=large", "size=middle", "size=small")
LOGITS = np.array([[1.0, 2.0, -1.0, 0.5, 3.0], [0.0, -4.0, 2.0, 2.0, 0.0]])


def by_loop(row, part):
    powers = [math.exp(value) for value in row[part]]
    return [power / sum(powers) for power in powers]


def test_each_head_has_a_softmax_of_its_own():
    found = probabilities(LOGITS, groups=groups_of(CLASSES, ("color", "size"), multilabel=False))
    for row, shares in zip(LOGITS, found, strict=True):
        assert shares.tolist() == pytest.approx(by_loop(row, slice(0, 2)) + by_loop(row, slice(2, 5)))


def test_of_several_labels_each_has_a_sigmoid():
    found = probabilities(LOGITS, groups=groups_of(CLASSES, (), multilabel=True))
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-LOGITS)))


def test_a_head_without_classes_is_no_error():
    assert head_slices(CLASSES, ("shape",)) == {"shape": slice(0, 0)}
    assert probabilities(LOGITS, groups=groups_of(CLASSES, ("shape",), multilabel=False)).max() == 0


def test_the_likeliest_of_each_head_and_the_first_of_equals():
    groups = groups_of(CLASSES, ("color", "size"), multilabel=False)
    assert likeliest(probabilities(LOGITS, groups=groups), 2, groups=groups).tolist() == [[1, 0, 4, 3], [0, 1, 2, 3]]
    assert likeliest(LOGITS, 1, groups=None).tolist() == [[4], [2]]


def test_top_labels_of_heads_and_of_several_labels():
    views = LOGITS[:, None]
    heads = top_labels(views, CLASSES, 1, groups=groups_of(CLASSES, ("color", "size"), multilabel=False))
    assert [[label.name for label in row] for row in heads] == [
        ["color=red", "size=small"],
        ["color=blue", "size=large"],
    ]
    assert heads[0][0].probability == pytest.approx(math.e / (1 + math.e))
    (first, second), _ = top_labels(views, CLASSES, 2, groups=None)
    assert (first.name, second.name) == ("size=small", "color=red")
    assert first.probability == pytest.approx(1 / (1 + math.exp(-3)))


def test_probabilities_of_views_are_averaged():
    ((label,),) = top_labels(LOGITS[None], CLASSES, 1, groups=None)
    assert label.name == "size=middle"
    assert label.probability == pytest.approx(np.mean(1 / (1 + np.exp([-0.5, -2.0]))))


def test_classes_of_other_models_exclude_each_other():
    card = BundledModels().load(ModelRequest("efficientnet_lite0")).card
    assert card_groups(card) == (slice(None),)
