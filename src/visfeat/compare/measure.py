"""All numbers of one recipe on a task, each with its interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visfeat.compare.clustering import adjusted_rand_index, clusters, contingency, normalized_mutual_information
from visfeat.compare.knn import NEIGHBORS, votes
from visfeat.compare.probe import probe
from visfeat.compare.ranking import cosine_blocks, unit
from visfeat.compare.retrieval import average_precision, first_relevant
from visfeat.compare.task import Ints, Task
from visfeat.train.metrics import RESAMPLES, TOP, Interval, bootstrap, top_k

RECALL_AT = (1, 5, 10)
METRICS = (
    "knn_top1", "knn_top5", "probe_top1", "probe_top5", "map", *(f"recall_at_{k}" for k in RECALL_AT), "nmi", "ari",
)  # fmt: skip
"""All names, in the order in which they are shown; top-5 is there where there are more than five classes."""

Floats = NDArray[np.float64]


def metric_names(classes: int) -> tuple[str, ...]:
    """What ``measure`` gives for so many classes."""
    return tuple(name for name in METRICS if classes > TOP or not name.endswith(f"top{TOP}"))


def measure(
    values: NDArray[np.float32], task: Task, *, neighbors: int = NEIGHBORS, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Interval]:
    """Name -> number with its 95% interval, from one vector an item, float32 ``(N, D)``.

    Whole groups of items are drawn for the intervals; classifiers and clusters stay as they are. Raises MissingExtra
    without scikit-learn.
    """
    directions = unit(values)
    found = _ranked(directions, task, neighbors)
    count = len(task.classes)
    logits = probe(values[task.train], task.targets[task.train], values[task.test], count, seed=seed)
    found |= _right("probe", logits, task.targets[task.test])
    groups = task.groups[task.test]
    wanted = [name for name in metric_names(count) if name in found]
    scores = {name: _mean(found[name], groups, seed, resamples) for name in wanted}
    return scores | _clustered(directions, task, seed, resamples)


def _ranked(directions: NDArray[np.float32], task: Task, neighbors: int) -> dict[str, Floats]:
    """What comes of ranking the training items for each test item: name -> one number a test item."""
    gallery, classes, own = directions[task.train], task.targets[task.train], task.targets[task.test]
    count = len(task.classes)
    voted, precision = np.zeros((len(own), count)), np.zeros(len(own))
    rank = np.zeros(len(own), np.int64)
    for part, cosines in cosine_blocks(directions[task.test], gallery):
        relevant = own[part, None] == classes
        voted[part] = votes(cosines, classes, count, neighbors)
        precision[part] = average_precision(cosines, relevant)
        rank[part] = first_relevant(cosines, relevant)
    recalls = {f"recall_at_{k}": (rank < k).astype(np.float64) for k in RECALL_AT}
    return _right("knn", voted, own) | {"map": precision} | recalls


def _right(name: str, scores: Floats, targets: Ints) -> dict[str, Floats]:
    """Whether the true class is the best, and among the best five; one without a vote or weights is in no case."""
    possible = np.take_along_axis(scores, targets[:, None], axis=1)[:, 0] > (0 if name == "knn" else -np.inf)
    return {f"{name}_top{k}": (top_k(targets, scores, k) & possible).astype(np.float64) for k in (1, TOP)}


def _mean(of_item: Floats, groups: Ints, seed: int, resamples: int) -> Interval:
    """The mean over the items that have a number: a query without anything relevant has no average precision."""
    there = ~np.isnan(of_item)
    if not there.any():
        return Interval(float("nan"), float("nan"), float("nan"))
    numbers = of_item[there]
    return bootstrap(groups[there], lambda drawn: float(numbers[drawn].mean()), resamples=resamples, seed=seed)


def _clustered(directions: NDArray[np.float32], task: Task, seed: int, resamples: int) -> dict[str, Interval]:
    """As many clusters as classes, of all items."""
    found = clusters(directions, len(task.classes), seed=seed)
    measures = {"nmi": normalized_mutual_information, "ari": adjusted_rand_index}
    return {
        name: bootstrap(
            task.groups,
            lambda drawn, of=of: of(contingency(task.targets[drawn], found[drawn])),  # type: ignore[misc]
            resamples=resamples,
            seed=seed,
        )
        for name, of in measures.items()
    }
