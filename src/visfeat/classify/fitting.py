"""``fit``: from a store and labels to a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.classify.card import ClassifierCard
from visfeat.classify.choosing import Choice, choose
from visfeat.classify.classifier import Classifier, arrays_digest, log_mean
from visfeat.classify.folds import drawn
from visfeat.classify.learners import LEARNERS, Learner, LinearLearner, Method, Task
from visfeat.classify.scorers import KnnScorer, LinearScorer
from visfeat.classify.temperature import fit_temperature, log_loss
from visfeat.errors import UsageError
from visfeat.labels import LabeledRows, Labels, label_rows
from visfeat.store.feature_store import FeatureStore
from visfeat.store.reading import SpaceReader
from visfeat.store.selection import Space

Ints = NDArray[np.int64]

MOST_TRIED_ROWS = 5000
"""Rows that parameters are chosen by; of more, whole groups are drawn until there are so many."""
FEW = 5
"""With fewer groups than that, a class's figures say little."""


@dataclass(frozen=True)
class Examples:
    """Labeled rows with their vectors: values float32 ``(n, D)``."""

    space: Space
    rows: LabeledRows
    values: NDArray[np.float32]

    def subset(self, kept: NDArray[np.bool_]) -> Examples:
        """Those where ``kept (n,)`` is True."""
        return Examples(self.space, self.rows.subset(kept), self.values[kept])


def read_examples(reader: SpaceReader, labels: Labels, *, classes: tuple[str, ...] | None = None) -> Examples:
    """The labeled rows of a space; raises UsageError where its rows are no vectors, and as ``label_rows`` does."""
    check_vectors(reader.space)
    rows = label_rows(reader, labels, classes=classes)
    return Examples(reader.space, rows, reader.at(rows.indices)[0])


def check_vectors(space: Space) -> None:
    """Raise UsageError where a row is a map, or tokens, or several views."""
    if len(space.layer.shape) != 1:
        raise UsageError(f"{space}: its rows are of shape {space.layer.shape}; classes are told by vectors: pool them")


def training_labels(labels: Labels, split: str | None = None) -> Labels:
    """The labels to learn from: of that split, of all of them for ``all``, else of train where there are splits."""
    if split == "all" or (split is None and not labels.splits):
        return labels
    return labels.of_split(split or "train")  # type: ignore[arg-type]


def fit(
    store: FeatureStore,
    labels: Labels,
    *,
    method: Method = "linear",
    split: str | None = None,
    model: str | None = None,
    layer: str | None = None,
    recipe: str | None = None,
    seed: int = 0,
) -> Classifier:
    """Learn a classifier of a store's rows.

    method: ``linear`` (logistic regression) or ``knn`` (the nearest rows vote). Its parameter is the one with the least
    log loss on held-out rows, in up to 5 folds of whole contents (or groups of the labels); the same held-out rows give
    the temperature that makes its probabilities honest. ``split``: which labels to learn from; by default those of
    train where the labels have splits, else all. ``model``, ``layer``, ``recipe``: as for ``FeatureStore.features``.

    Raises UsageError where there are fewer than two classes, and as ``read_labels`` and ``label_rows`` do; MissingExtra
    without scikit-learn for ``linear``.
    """
    chosen = training_labels(labels, split)
    return learn(read_examples(store.reader(model, layer, recipe), chosen), method=method, seed=seed)


def learn(examples: Examples, *, method: Method = "linear", seed: int = 0) -> Classifier:
    """A classifier of labeled rows; see ``fit``."""
    if method not in LEARNERS:
        raise UsageError(f"--method {method}: there are {', '.join(LEARNERS)}")
    examples = _with_classes_that_occur(examples)
    rows = examples.rows
    kept = np.ones(len(rows), bool)
    if len(rows) > MOST_TRIED_ROWS:
        kept = drawn(rows.groups, MOST_TRIED_ROWS, seed=seed)
    tried = examples.subset(kept)
    learner = LEARNERS[method](_task(tried))
    choice = choose(learner, tried.rows.codes, tried.rows.weights, tried.rows.groups, seed=seed)
    final = learner if kept.all() else LEARNERS[method](_task(examples))
    scorer = final.learn(choice.parameter)
    return Classifier(_card(examples, tried.rows, choice, scorer, _notes(choice, rows, len(tried.rows), final)), scorer)


def _card(
    examples: Examples, tried: LabeledRows, choice: Choice, scorer: LinearScorer | KnnScorer, notes: tuple[str, ...]
) -> ClassifierCard:
    rows, stored = examples.rows, examples.space.stored
    own: dict[str, Any] = {"method": "linear", "c": choice.parameter}
    if isinstance(scorer, KnnScorer):
        own = {"method": "knn", "k": scorer.k, "counts": scorer.counts}
    return ClassifierCard(
        **own,
        classes=rows.classes,
        recipe_digest=stored.digest,
        model=stored.recipe.model,
        layer=examples.space.layer.layer,
        dimension=scorer.dimension,
        calibration="temperature" if choice.folds else "none",
        temperature=choice.temperature,
        item_temperature=_item_temperature(choice, tried),
        arrays_digest=arrays_digest(scorer.arrays()),
        labels=rows.labels.source,
        items=len(np.unique(rows.items)),
        rows=len(rows),
        groups_of_class=dict(zip(rows.classes, rows.groups_of_class.tolist(), strict=True)),
        folds=choice.folds,
        held_out=_held_out(choice, tried),
        tried={f"{parameter:g}": loss for parameter, loss in choice.log_losses.items()},
        notes=notes,
        recipe=stored.recipe.model_dump(mode="json", exclude_none=True),
        versions={name: version(name) for name in ("visfeat", "numpy")},
    )


def _task(examples: Examples) -> Task:
    rows = examples.rows
    return Task(examples.values, rows.codes, rows.weights, len(rows.classes))


def _with_classes_that_occur(examples: Examples) -> Examples:
    """The same rows, of which each class has one; raises UsageError where there is one class only."""
    rows = examples.rows
    there = tuple(name for name, groups in zip(rows.classes, rows.groups_of_class, strict=True) if groups)
    if len(there) < 2:
        raise UsageError(
            f"{rows.labels.source}: the labeled rows have one class only ({', '.join(there)}); a classifier needs two"
        )
    return Examples(examples.space, rows.renamed(there), examples.values)


def _item_temperature(choice: Choice, rows: LabeledRows) -> float:
    """The temperature of whole videos of several rows, by those that were held out; 1 where there are none."""
    entries = rows.entries[choice.held_out]
    whole = np.array([rows.labels.entries[entry].start_s is None for entry in entries.tolist()], bool)
    _, place, counts = np.unique(entries[whole], return_inverse=True, return_counts=True)
    several = np.flatnonzero(counts > 1)
    if not len(several):
        return 1.0
    probabilities, codes = choice.probabilities[whole], rows.codes[choice.held_out][whole]
    own = [np.flatnonzero(place == number) for number in several]
    scores = np.stack([log_mean(probabilities[one]) for one in own])
    truth = np.array([codes[one[0]] for one in own])
    return fit_temperature(scores, truth, np.ones(len(own)), doubt=1 / (len(own) + 2))


def _held_out(choice: Choice, rows: LabeledRows) -> dict[str, float]:
    """Top-1 and log loss of held-out rows, each label counting the same."""
    if not choice.folds:
        return {}
    codes, weights = rows.codes[choice.held_out], rows.weights[choice.held_out]
    right = choice.scores.argmax(axis=1) == codes
    loss = log_loss(choice.probabilities, codes, weights)
    return {"top1": float(np.average(right, weights=weights)), "log_loss": loss}


def _notes(choice: Choice, rows: LabeledRows, tried: int, learner: Learner) -> tuple[str, ...]:
    """What could not be done, or not well."""
    named = dict(zip(rows.classes, rows.groups_of_class.tolist(), strict=True))
    single = [name for name, groups in named.items() if groups == 1]
    few = [name for name, groups in named.items() if 1 < groups < FEW]
    notes = []
    if not choice.folds:
        notes.append(
            "every class has one example: nothing could be held out, so the parameter is the default and the "
            "probabilities are not calibrated"
        )
    elif single:
        notes.append(f"of one example, and so never held out: {_some(single)}; how well these are told is not known")
    if few:
        notes.append(f"of fewer than {FEW} examples, so that their figures are rough: {_some(few)}")
    if rows.without_rows:
        notes.append(f"{rows.without_rows} labels have no row in these features")
    if tried < len(rows):
        notes.append(f"the parameter was chosen by {tried} of {len(rows)} rows")
    if isinstance(learner, LinearLearner) and learner.unfinished:
        notes.append("logistic regression stopped before it had converged")
    return tuple(notes)


def _some(names: Sequence[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
