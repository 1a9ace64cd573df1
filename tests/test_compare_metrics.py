"""Every number of a comparison against scikit-learn's, or against a plain count."""

from __future__ import annotations

import numpy as np
import pytest

from visfeat.compare.clustering import adjusted_rand_index, clusters, contingency, normalized_mutual_information
from visfeat.compare.knn import TEMPERATURE, votes
from visfeat.compare.measure import METRICS, measure, metric_names
from visfeat.compare.probe import HELD_OUT, MOST_STEPS, STRENGTHS, _held_out, probe, standardized
from visfeat.compare.ranking import cosine_blocks, unit
from visfeat.compare.retrieval import average_precision, first_relevant
from visfeat.compare.task import Task

pytest.importorskip("sklearn")


@pytest.fixture
def drawn():
    """Queries, a gallery and their classes: some copies among the gallery, so that there are ties."""
    random = np.random.default_rng(0)
    centers = random.normal(size=(7, 12))
    classes, own = random.integers(0, 7, 90), random.integers(0, 7, 40)
    gallery = centers[classes] + random.normal(size=(90, 12))
    gallery[60:70] = gallery[:10]
    queries = centers[own] + random.normal(size=(40, 12))
    return unit(queries), unit(gallery), own, classes


def test_blocks_are_the_whole_matrix(drawn):
    queries, gallery, *_ = drawn
    parts = list(cosine_blocks(queries, gallery, block_bytes=4 * 90 * 7))
    assert [part for part, _ in parts] == [slice(n, min(n + 7, 40)) for n in range(0, 40, 7)]
    np.testing.assert_allclose(np.concatenate([block for _, block in parts]), queries @ gallery.T, atol=1e-6)


def test_a_vector_of_zeros_has_cosine_0():
    assert unit(np.array([[0.0, 0.0], [3.0, 4.0]])).tolist() == [[0, 0], [np.float32(0.6), np.float32(0.8)]]


@pytest.mark.parametrize("k", [1, 5, 20])
def test_neighbors_vote_as_those_of_scikit_learn(drawn, k):
    from sklearn.neighbors import KNeighborsClassifier

    queries, gallery, _, classes = drawn
    gallery, classes = gallery[:60], classes[:60]  # no ties: scikit-learn does not say which of equal ones is nearer
    weigh = lambda distances: np.exp((1 - distances) / TEMPERATURE)  # noqa: E731
    model = KNeighborsClassifier(k, metric="cosine", weights=weigh, algorithm="brute").fit(gallery, classes)
    found = votes(queries @ gallery.T, classes, 7, k)
    np.testing.assert_allclose(
        found / found.sum(axis=1, keepdims=True), model.predict_proba(queries.astype(np.float64)), atol=2e-4
    )


def test_of_equal_neighbors_the_lower_index_votes():
    cosines = np.array([[0.5, 0.9, 0.9, 0.9, 0.1]], np.float32)
    found = votes(cosines, np.arange(5), 5, k=2)
    assert (found > 0).tolist() == [[False, True, True, False, False]]
    assert votes(cosines, np.arange(5), 5, k=50).min() > 0


def test_average_precision_is_that_of_scikit_learn(drawn):
    from sklearn.metrics import average_precision_score

    queries, gallery, own, classes = drawn
    cosines, relevant = queries @ gallery.T, own[:, None] == classes
    assert len(np.unique(cosines[0])) < 90, "there are ties"
    expected = [average_precision_score(yes, scores) for yes, scores in zip(relevant, cosines, strict=True)]
    np.testing.assert_allclose(average_precision(cosines, relevant), expected)


def test_a_query_without_anything_relevant_has_no_average_precision():
    cosines = np.array([[0.3, 0.2]], np.float32)
    assert np.isnan(average_precision(cosines, np.zeros((1, 2), bool)))
    assert first_relevant(cosines, np.zeros((1, 2), bool)).tolist() == [2]


def test_the_first_relevant_one_by_counting(drawn):
    queries, gallery, own, classes = drawn
    cosines, relevant = queries @ gallery.T, own[:, None] == classes
    order = np.argsort(-cosines, axis=1, kind="stable")
    expected = [int(np.flatnonzero(yes[ranked])[0]) for yes, ranked in zip(relevant, order, strict=True)]
    assert first_relevant(cosines, relevant).tolist() == expected


@pytest.mark.parametrize("seed", range(3))
def test_nmi_and_ari_are_those_of_scikit_learn(seed):
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    random = np.random.default_rng(seed)
    targets = random.integers(0, 5, 200)
    found = np.where(random.random(200) < 0.6, targets, random.integers(0, 8, 200))
    counts = contingency(targets, found)
    assert normalized_mutual_information(counts) == pytest.approx(normalized_mutual_info_score(targets, found))
    assert adjusted_rand_index(counts) == pytest.approx(adjusted_rand_score(targets, found))


def test_nmi_and_ari_of_partitions_that_are_equal_or_trivial():
    same = contingency(np.array([0, 0, 1, 2]), np.array([1, 1, 2, 0]))
    assert (normalized_mutual_information(same), adjusted_rand_index(same)) == (pytest.approx(1), pytest.approx(1))
    one_cluster = contingency(np.array([0, 0, 1, 1]), np.zeros(4, int))
    assert (normalized_mutual_information(one_cluster), adjusted_rand_index(one_cluster)) == (0, 0)


def test_clusters_are_found_again_and_never_more_than_items():
    random = np.random.default_rng(0)
    targets = np.repeat([0, 1, 2], 30)
    values = unit(np.eye(3)[targets] + 0.05 * random.normal(size=(90, 3)))
    assert adjusted_rand_index(contingency(targets, clusters(values, 3))) == pytest.approx(1)
    assert len(np.unique(clusters(values[[0, 0, 1]], 3))) == 2


def test_the_probe_is_the_logistic_regression_of_scikit_learn():
    """The same pipeline written with scikit-learn's parts alone."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(0)
    targets = random.integers(0, 4, 300)
    values = (np.eye(4)[targets] @ random.normal(size=(4, 10)) + 2 * random.normal(size=(300, 10))).astype(np.float32)
    train, test, own = values[:200], values[200:], targets[:200]
    scaler = StandardScaler().fit(train)
    fit, held = _held_out(own, 0)
    assert abs(len(held) - HELD_OUT * 200) <= 4
    assert not set(fit) & set(held)

    def model(strength, rows):
        return LogisticRegression(C=strength, max_iter=MOST_STEPS).fit(scaler.transform(train)[rows], own[rows])

    scores = [model(one, fit).score(scaler.transform(train)[held], own[held]) for one in STRENGTHS]
    best = model(STRENGTHS[int(np.argmax(scores))], slice(None))
    np.testing.assert_allclose(probe(train, own, test, 4), best.decision_function(scaler.transform(test)), atol=0.02)


def test_more_values_than_items_give_the_same_probe():
    """The best weights lie in the span of the items: what is fitted there is what is fitted on all values."""
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(1)
    targets = np.arange(30) % 3
    values = (np.eye(3)[targets] @ random.normal(size=(3, 200)) + 3 * random.normal(size=(30, 200))).astype(np.float32)
    train, test = standardized(values, random.normal(size=(20, 200)).astype(np.float32))
    found = [
        LogisticRegression(C=one, tol=1e-8, max_iter=1000).fit(train, targets).decision_function(test)
        for one in STRENGTHS
    ]
    own = probe(train, targets, test, 3)
    assert min(np.abs(own - one).max() for one in found) < 0.01 * np.abs(own).max()


def test_a_class_that_nobody_trains_is_never_predicted():
    random = np.random.default_rng(0)
    values = random.normal(size=(20, 3)).astype(np.float32)
    logits = probe(values, np.arange(20) % 2, values, 3)
    assert np.isneginf(logits[:, 2]).all()
    assert np.isfinite(logits[:, :2]).all()


def test_a_column_that_never_changes_says_nothing():
    train, test = standardized(np.full((4, 1), 7.0), np.full((2, 1), 9.0))
    assert (train.tolist(), test.tolist()) == ([[0]] * 4, [[0]] * 2)


def _task(targets, train, test):
    number = len(targets)
    names = tuple(str(n) for n in range(max(targets) + 1))
    return Task(tuple(map(str, range(number))), names, np.array(targets), np.arange(number), train, test)


def test_vectors_that_say_the_class_have_all_numbers_1():
    targets = np.arange(60) % 6
    values = (np.eye(6)[targets] + 0.01 * np.random.default_rng(0).normal(size=(60, 6))).astype(np.float32)
    found = measure(values, _task(targets, np.arange(40), np.arange(40, 60)), resamples=20)
    assert tuple(found) == METRICS
    for name, one in found.items():
        assert (one.value, one.low, one.high) == pytest.approx((1, 1, 1)), name


def test_numbers_of_a_task_are_means_over_its_test_items(drawn):
    queries, gallery, own, classes = drawn
    values, targets = np.concatenate([gallery, queries]), np.concatenate([classes, own])
    found = measure(values, _task(targets, np.arange(90), np.arange(90, 130)), neighbors=5, resamples=50)
    cosines = queries @ gallery.T
    right = votes(cosines, classes, 7, 5).argmax(axis=1) == own
    assert found["knn_top1"].value == pytest.approx(right.mean())
    nearest = classes[cosines.argmax(axis=1)] == own
    assert found["recall_at_1"].value == pytest.approx(nearest.mean())
    assert found["map"].value == pytest.approx(average_precision(cosines, own[:, None] == classes).mean())
    for name in ("knn_top1", "map", "nmi"):
        assert found[name].low < found[name].value < found[name].high, name


def test_a_class_without_a_vote_is_not_among_the_best_five():
    """Of seven classes three have votes; the true one has none, and is of a low number."""
    targets = np.array([1, 4, 5, 6, 0, 1, 2, 3])
    values = np.zeros((8, 3), np.float32)
    values[:4] = [[0, 0, -1], [1, 0, 0], [0.9, 0.1, 0], [0.8, 0.2, 0]]
    values[4:] = [[1, 0, 0]] * 4
    found = measure(values, _task(targets, np.arange(4), np.arange(4, 8)), neighbors=3, resamples=5)
    assert found["knn_top5"].value == 0


def test_top_5_of_five_classes_is_left_out():
    assert "knn_top5" not in metric_names(5)
    assert metric_names(6) == METRICS
