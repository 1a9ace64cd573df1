"""The parts of classification against scikit-learn, the formulas and brute force."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from visfeat.classify.choosing import choose
from visfeat.classify.folds import NEVER_HELD_OUT, deal, drawn
from visfeat.classify.learners import KnnLearner, LinearLearner, Task
from visfeat.classify.scorers import VOTE_TEMPERATURE, KnnScorer
from visfeat.classify.temperature import at_temperature, fit_temperature, log_loss


def task(n=120, width=6, classes=3, seed=0, spread=1.0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, classes, n)
    values = 2 * np.eye(width)[codes] + spread * rng.normal(size=(n, width))
    return Task(values.astype(np.float32), codes.astype(np.int64), np.ones(n), classes)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 11)), min_size=1, max_size=60), st.integers(0, 3))
def test_folds_part_no_group_and_lose_no_class_that_can_stay(pairs, seed):
    class_of = {group: code for code, group in pairs}  # one class a group
    groups = np.array([group for _, group in pairs])
    codes = np.array([class_of[group] for _, group in pairs])
    fold = deal(codes, groups, seed=seed)
    assert all(len(set(fold[groups == group])) == 1 for group in groups)
    sizes = {code: len(set(groups[codes == code])) for code in codes}
    for code, size in sizes.items():
        assert (fold[codes == code] == NEVER_HELD_OUT).all() == (size == 1)
    for number in range(fold.max() + 1):
        assert (fold == number).any()
        assert set(codes[fold != number]) == set(codes)


def test_a_group_counts_for_its_most_frequent_class():
    codes, groups = np.array([0, 1, 1, 0, 1, 0]), np.array([7, 7, 7, 8, 9, 5])
    # 7 and 9 are of class 1, 5 and 8 of class 0: four groups, four folds.
    assert sorted(deal(codes, groups, seed=0)[[0, 3, 4, 5]]) == [0, 1, 2, 3]


def test_whole_groups_are_drawn_and_always_the_same():
    groups = np.repeat(np.arange(100), 3)
    kept = drawn(groups, 31, seed=1)
    assert kept.sum() == 33
    assert all(len(set(kept[groups == group])) == 1 for group in range(100))
    assert (kept == drawn(groups, 31, seed=1)).all()


def test_temperature_is_the_best_of_a_fine_grid_and_scikit_learns():
    from sklearn.calibration import _TemperatureScaling

    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, 500)
    scores = 5 * (np.eye(4)[codes] + rng.normal(size=(500, 4)))
    weights = rng.uniform(0.5, 2, 500)
    found = fit_temperature(scores, codes, weights)
    grid = np.geomspace(0.1, 100, 4000)
    losses = [log_loss(at_temperature(scores, one), codes, weights) for one in grid]
    assert found == pytest.approx(grid[np.argmin(losses)], rel=2e-3)
    theirs = _TemperatureScaling().fit(scores, codes, weights)
    assert 1 / found == pytest.approx(theirs.beta_, rel=1e-3)


def test_a_few_right_answers_make_nobody_certain():
    scores = np.array([[4.0, 0.0], [0.0, 4.0]])
    temperature = fit_temperature(scores, np.array([0, 1]), np.ones(2), doubt=1 / 4)
    np.testing.assert_allclose(at_temperature(scores, temperature)[0], [0.75, 0.25], atol=1e-6)


@pytest.mark.parametrize(("n", "width", "classes"), [(120, 6, 3), (40, 80, 3), (60, 5, 2)])
def test_linear_is_scikit_learns_logistic_regression(n, width, classes):
    own = task(n, width, classes)
    scorer = LinearLearner(own).learn(1.0)
    mean = own.values.mean(axis=0)
    length = np.sqrt(np.square(own.values - mean).sum(axis=1).mean())
    reference = LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000).fit((own.values - mean) / length, own.codes)
    expected = reference.predict_proba((own.values - mean) / length)
    np.testing.assert_allclose(at_temperature(scorer.scores(own.values), 1.0), expected, atol=2e-3)


def test_linear_scores_of_held_out_rows_are_those_of_a_fit_without_them():
    own = task()
    learner = LinearLearner(own)
    train = np.arange(len(own.codes)) % 4 != 0
    found = learner.scores(train, ~train)
    rows = learner._rows
    for number, strength in enumerate(learner.parameters):
        reference = LogisticRegression(C=strength, tol=1e-8, max_iter=10_000).fit(rows[train], own.codes[train])
        shares = reference.predict_proba(rows[~train])
        np.testing.assert_allclose(at_temperature(found[number], 1.0), shares, atol=5e-3)


def test_a_class_that_the_training_rows_lack_is_never_answered():
    own = task()
    train = own.codes != 2
    for learner in (LinearLearner(own), KnnLearner(own)):
        assert (learner.scores(train, ~train).argmax(axis=2) != 2).all()


@pytest.mark.parametrize("k", [1, 5, 20])
def test_knn_votes_are_scikit_learns(k):
    own = task(200, 6, 3, spread=0.7)
    queries = task(50, 6, 3, seed=1).values
    scorer = KnnLearner(own).learn(k)
    reference = KNeighborsClassifier(
        k, metric="cosine", algorithm="brute", weights=lambda distance: np.exp((1 - distance) / VOTE_TEMPERATURE)
    ).fit(own.values, own.codes)
    expected = np.log(reference.predict_proba(queries) + 1 / (3 * (k + 1)))
    np.testing.assert_allclose(scorer.scores(queries), expected, atol=1e-4)


def test_a_vector_of_zeros_has_an_answer_too():
    scorer = KnnScorer(np.eye(3, dtype=np.float32), (1, 2), 2)
    assert np.isfinite(scorer.scores(np.zeros((1, 3)))).all()


def test_choice_is_the_least_loss_over_the_same_folds():
    own = task(150, 6, 3, spread=2.0)
    groups = np.arange(150) // 3
    learner = LinearLearner(own)
    choice = choose(learner, own.codes, own.weights, groups, seed=3)
    fold = deal(own.codes, groups, seed=3)
    assert choice.folds == fold.max() + 1 == 5
    assert sorted(choice.held_out) == list(range(150))
    assert choice.log_losses[choice.parameter] == min(choice.log_losses.values())
    # Scores come from a model that has not seen the row's group.
    row = choice.held_out[0]
    again = learner.scores(fold != fold[row], np.arange(150) == row)[learner.parameters.index(choice.parameter), 0]
    np.testing.assert_allclose(choice.scores[0], again, atol=1e-2)
    assert log_loss(choice.probabilities, own.codes[choice.held_out], np.ones(150)) == pytest.approx(
        choice.log_losses[choice.parameter]
    )


def test_nothing_to_hold_out_gives_the_default():
    own = task(2, 6, 2)
    own = Task(own.values, np.array([0, 1]), own.weights, 2)
    for learner in (LinearLearner(own), KnnLearner(own)):
        choice = choose(learner, own.codes, own.weights, np.arange(2), seed=0)
        assert (choice.folds, choice.temperature, choice.parameter) == (0, 1.0, learner.default)
