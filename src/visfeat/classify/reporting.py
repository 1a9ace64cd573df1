"""How well classes are told: on labels that were kept apart, or by cross-validation; each class with its intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visfeat.classify.classifier import Classifier, of_item
from visfeat.classify.fitting import Examples, learn, read_examples
from visfeat.classify.folds import NEVER_HELD_OUT, deal
from visfeat.classify.learners import Method
from visfeat.classify.predicting import space_of
from visfeat.errors import UsageError
from visfeat.labels import LabeledRows, Labels
from visfeat.store.feature_store import FeatureStore
from visfeat.train.curves import reliability
from visfeat.train.data.examples import SPLITS
from visfeat.train.judging import judge
from visfeat.train.metrics import LEVEL, RESAMPLES, Interval, bootstrap, per_class, top_k

Ints = NDArray[np.int64]
Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class ClassScores:
    """One class: its scores with their intervals, how many labels are of it, and its average precision."""

    precision: Interval
    recall: Interval
    f1: Interval
    labels: int
    average_precision: float | None
    """None where no label is of this class."""


@dataclass(frozen=True)
class ClassReport:
    """What came out. A label counts once: it is of an item, or of a part of a video.

    ``metrics``: top1, top5 where there are more classes, macro_f1, log_loss, and calibration_error (the expected
    calibration error of the likeliest class). ``rows``: the same of rows, where labels have several. Intervals are
    those of 1,000 bootstrap resamples of whole contents, or groups of the labels.
    """

    labels: str
    how: str
    """On which labels: a split, all, or held out by cross-validation."""
    method: str
    recipe: str
    layer: str
    judged: int
    """How many labels were judged."""
    classes: tuple[str, ...]
    metrics: dict[str, Interval]
    of_class: dict[str, ClassScores]
    confusion: tuple[tuple[int, ...], ...]
    """Row the true class, column the predicted one."""
    rows: dict[str, Interval]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return asdict(self)


class _Judged(NamedTuple):
    """Truth, probabilities and group of each of N answers."""

    targets: Ints
    probabilities: Probabilities
    groups: Ints


def report(store: FeatureStore, labels: Labels, classifier: Classifier, *, split: str | None = None) -> ClassReport:
    """How well a classifier does on labels of a store that it has not learned from.

    ``split``: train, val, test or all; by default test, or val where there is no test. Raises UsageError where the
    labels have no split and none is asked for: nobody could tell which of them it has learned from.
    """
    chosen = split or next((name for name in ("test", "val") if name in labels.splits), None)
    if chosen is None:
        raise UsageError(
            f"{labels.source}: the labels have no split test or val; say --split all where the classifier has learned "
            "from none of them, or leave --classifier out: then visfeat classify report cross-validates"
        )
    if chosen not in (*SPLITS, "all"):
        raise UsageError(f"--split {chosen}: there are {', '.join(SPLITS)} and all")
    own = labels if chosen == "all" else labels.of_split(chosen)  # type: ignore[arg-type]
    reader = store.read_space(space_of(store, classifier))
    examples = read_examples(reader, own, classes=_with_unknown(classifier, own))
    shares = _in_classes(classifier.probabilities(examples.values), classifier.classes, examples.rows.classes)
    temperatures = np.full(len(shares), classifier.card.item_temperature)
    how = "all labels" if chosen == "all" else f"the labels of split {chosen}"
    return _report(examples, shares, temperatures, how=how, method=classifier.card.method)


def cross_validate(
    store: FeatureStore,
    labels: Labels,
    *,
    method: Method = "linear",
    model: str | None = None,
    layer: str | None = None,
    recipe: str | None = None,
    seed: int = 0,
) -> ClassReport:
    """How well a classifier of these labels would do on contents that it has not seen.

    Five times a fifth of the contents (or groups of the labels) is held out, and ``fit`` learns from the others alone:
    its choice of a parameter and of a temperature sees nothing of what is judged. A class's only content is never held
    out, and not judged. Raises as ``fit`` does.
    """
    examples = read_examples(store.reader(model, layer, recipe), labels)
    rows = examples.rows
    fold = deal(rows.codes, rows.groups, seed=seed)
    shares = np.zeros((len(rows), len(rows.classes)))
    temperatures = np.ones(len(rows))
    count = int(fold.max(initial=NEVER_HELD_OUT)) + 1
    for number in range(count):
        held_out = fold == number
        classifier = learn(examples.subset(~held_out), method=method, seed=seed)
        found = classifier.probabilities(examples.values[held_out])
        shares[held_out] = _in_classes(found, classifier.classes, rows.classes)
        temperatures[held_out] = classifier.card.item_temperature
    judged = fold != NEVER_HELD_OUT
    if not judged.any():
        raise UsageError(f"{labels.source}: every class has one example: nothing can be held out to judge by")
    alone = sorted({rows.classes[code] for code in rows.codes[~judged].tolist()})
    notes = (f"not judged, as they have one example: {', '.join(alone)}",) if alone else ()
    how = f"held out by cross-validation in {count} folds"
    return _report(examples.subset(judged), shares[judged], temperatures[judged], how=how, method=method, notes=notes)


def _with_unknown(classifier: Classifier, labels: Labels) -> tuple[str, ...]:
    """The classifier's classes, and after them those of the labels that it does not know, which it cannot get right."""
    return (*classifier.classes, *sorted(set(labels.classes) - set(classifier.classes)))


def _in_classes(shares: Probabilities, own: tuple[str, ...], classes: tuple[str, ...]) -> Probabilities:
    """Probabilities ``(n, own)`` with a column for each of ``classes``, 0 where it is none of one's own."""
    found = np.zeros((len(shares), len(classes)))
    found[:, [classes.index(name) for name in own]] = shares
    return found


def _report(
    examples: Examples,
    shares: Probabilities,
    temperatures: NDArray[np.float64],
    *,
    how: str,
    method: str,
    notes: tuple[str, ...] = (),
) -> ClassReport:
    rows = examples.rows
    by_label = _by_label(rows, shares, temperatures)
    found = judge(by_label.targets, by_label.probabilities, by_label.groups, rows.classes)
    unknown = [name for n, name in enumerate(rows.classes) if not shares[:, n].any()]
    if unknown:
        notes = (*notes, f"classes that were not learned: {', '.join(unknown)}")
    several = len(by_label.targets) < len(rows)
    return ClassReport(
        labels=rows.labels.source,
        how=how,
        method=method,
        recipe=examples.space.stored.digest,
        layer=examples.space.layer.layer,
        judged=len(by_label.targets),
        classes=rows.classes,
        metrics=found["metrics"] | _honesty(by_label),
        of_class=_of_class(by_label, rows.classes, found["precision_recall"]),
        confusion=found["confusion"],
        rows=_row_metrics(_Judged(rows.codes, shares, rows.groups)) if several else {},
        notes=notes,
    )


def _by_label(rows: LabeledRows, shares: Probabilities, temperatures: NDArray[np.float64]) -> _Judged:
    """One answer a label: of an item as ``predict`` gives it, of a part the mean of its rows."""
    names, first = np.unique(rows.entries, return_index=True)
    order = np.argsort(rows.entries, kind="stable")
    own = np.split(order, np.searchsorted(rows.entries[order], names[1:]))
    answers = []
    for entry, members in zip(names.tolist(), own, strict=True):
        whole = rows.labels.entries[entry].start_s is None
        answers.append(of_item(shares[members], float(temperatures[members[0]]) if whole else 1.0))
    return _Judged(rows.codes[first], np.stack(answers), rows.groups[first])


def _honesty(judged: _Judged) -> dict[str, Interval]:
    """How far the probabilities can be trusted."""
    losses, confidence = _losses(judged), judged.probabilities.max(axis=1)
    right = judged.probabilities.argmax(axis=1) == judged.targets
    return {
        "log_loss": bootstrap(judged.groups, lambda chosen: float(losses[chosen].mean())),
        "calibration_error": bootstrap(
            judged.groups, lambda chosen: reliability(confidence[chosen], right[chosen]).error
        ),
    }


def _row_metrics(judged: _Judged) -> dict[str, Interval]:
    """Top-1 and log loss of rows."""
    right, losses = top_k(judged.targets, judged.probabilities, 1), _losses(judged)
    return {
        "top1": bootstrap(judged.groups, lambda chosen: float(right[chosen].mean())),
        "log_loss": bootstrap(judged.groups, lambda chosen: float(losses[chosen].mean())),
    }


def _losses(judged: _Judged) -> NDArray[np.float64]:
    """``-ln p`` of the true class of each answer."""
    likely = np.take_along_axis(judged.probabilities, judged.targets[:, None], axis=1)[:, 0]
    return np.asarray(-np.log(np.maximum(likely, 1e-12)))


def _of_class(judged: _Judged, classes: tuple[str, ...], curves: dict[str, Any]) -> dict[str, ClassScores]:
    """Each class's scores; the intervals of all classes come from the same resamples of groups."""
    count = len(classes)
    _, group = np.unique(judged.groups, return_inverse=True)
    cell = judged.targets * count + judged.probabilities.argmax(axis=1)
    random = np.random.default_rng(0)
    groups = int(group.max()) + 1

    def scores(times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Precision, recall and F1 ``(3, K)`` where each answer counts so many times."""
        matrix = np.bincount(cell, times, count * count).reshape(count, count)
        return np.stack(list(per_class(matrix.astype(np.int64)).values()))

    value = scores(np.ones(len(cell)))
    drawn = np.stack(
        [
            scores(np.bincount(random.integers(0, groups, groups), minlength=groups)[group].astype(float))
            for _ in range(RESAMPLES)
        ]
    )
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    of_class = {}
    for n, name in enumerate(classes):
        precision, recall, f1 = (Interval(float(value[m, n]), float(low[m, n]), float(high[m, n])) for m in range(3))
        average = curves[name].average if name in curves else None
        of_class[name] = ClassScores(precision, recall, f1, int((judged.targets == n).sum()), average)
    return of_class
