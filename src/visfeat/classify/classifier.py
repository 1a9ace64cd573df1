"""Classifier: what tells classes by vectors of one recipe; a folder of a card and arrays, which runs no code.

Applying one takes NumPy alone: whoever gets a classifier needs neither scikit-learn nor trust in whom it came from.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.classify.card import ARRAYS, CARD, ClassifierCard
from visfeat.classify.scorers import KnnScorer, LinearScorer, Scorer
from visfeat.classify.temperature import at_temperature
from visfeat.errors import ModelError, UsageError
from visfeat.temporal.weights import digest_of, keep_weights, read_weights

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Classifier:
    """A card and what it describes.

    >>> classifier = Classifier.load("cats.classifier")          # doctest: +SKIP
    >>> classifier.probabilities(values).argmax(axis=1)          # doctest: +SKIP
    array([0, 2, 1])
    """

    card: ClassifierCard
    scorer: Scorer

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names, in the order of the probabilities."""
        return self.card.classes

    def probabilities(self, values: Floats) -> Probabilities:
        """float64 ``(n, K)`` of vectors ``(n, D)`` of the classifier's recipe; each row sums to 1.

        Raises UsageError for vectors of another dimension, and for values that are not finite.
        """
        if values.ndim != 2 or values.shape[1] != self.card.dimension:
            raise UsageError(
                f"vectors of shape {values.shape} are not those of {self.card.model}, {self.card.layer}, which this "
                f"classifier takes: (n, {self.card.dimension})"
            )
        if not np.isfinite(values).all():
            raise UsageError("a vector is not finite")
        return at_temperature(self.scorer.scores(values), self.card.temperature)

    def item_probabilities(self, rows: Probabilities) -> Probabilities:
        """float64 ``(K,)`` of an item from those of its rows ``(n, K)``: their mean, at a temperature of its own."""
        return of_item(rows, self.card.item_temperature)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the folder, in place of an earlier classifier; raises UsageError where anything else lies there."""
        folder = Path(path).expanduser()
        if folder.exists() and not (folder / CARD).is_file() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"--out {folder}: is there, and is no classifier; choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
        # The card goes first and comes last: a folder with a card has the arrays that it describes.
        (folder / CARD).unlink(missing_ok=True)
        (folder / ARRAYS).unlink(missing_ok=True)
        keep_weights(folder / ARRAYS, self.scorer.arrays())
        self.card.save(folder)
        return folder

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Classifier:
        """Read a classifier's folder.

        Raises ModelError where a file is missing, damaged, of a newer visfeat, or does not fit the other one.
        """
        folder = Path(path).expanduser()
        card = ClassifierCard.load(folder)
        arrays = read_weights(folder / ARRAYS)
        if arrays_digest(arrays) != card.arrays_digest:
            raise ModelError(f"{folder}: {ARRAYS} is not the file that {CARD} describes (another digest)")
        return cls(card, _scorer(card, arrays, folder / ARRAYS))


def of_item(rows: Probabilities, temperature: float) -> Probabilities:
    """float64 ``(K,)``: the mean of probabilities ``(n, K)``, its logarithm at a temperature."""
    mean: Probabilities = rows.mean(axis=0)
    # One row is an image, or all of a video: nothing was averaged.
    return mean if len(rows) == 1 or temperature == 1 else at_temperature(log_mean(rows)[None], temperature)[0]


def log_mean(rows: Probabilities) -> Probabilities:
    """The logarithm of the mean of probabilities ``(n, K)``, never minus infinity: ``(K,)``."""
    return np.asarray(np.log(np.maximum(rows.mean(axis=0), 1e-12)))


def arrays_digest(arrays: Mapping[str, Floats]) -> str:
    """Hex SHA-256 of what was learned."""
    return digest_of({"": arrays})


def _scorer(card: ClassifierCard, arrays: Mapping[str, NDArray[Any]], path: Path) -> Scorer:
    """The arrays as what the card says they are, shapes checked."""
    classes, width = len(card.classes), card.dimension
    if card.method == "linear":
        weight = _array(arrays, "weight", (classes, width), path)
        return LinearScorer(weight, _array(arrays, "bias", (classes,), path))
    assert card.counts is not None
    assert card.k is not None
    return KnnScorer(_array(arrays, "vectors", (sum(card.counts), width), path), card.counts, card.k)


def _array(arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...], path: Path) -> NDArray[np.float32]:
    if name not in arrays or arrays[name].shape != shape:
        there = "nothing" if name not in arrays else f"the shape {arrays[name].shape}"
        raise ModelError(f"{path}: {name} must have the shape {shape}, and has {there}")
    return arrays[name].astype(np.float32, copy=False)
