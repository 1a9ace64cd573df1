"""Cross-validation: which parameter holds out best, and what its probabilities must be scaled by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.classify.folds import NEVER_HELD_OUT, deal
from visfeat.classify.learners import Learner
from visfeat.classify.temperature import at_temperature, fit_temperature, log_loss

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Choice:
    """What cross-validation found.

    ``log_losses``: parameter -> log loss of held-out rows at its own best temperature. ``scores (m, K)`` are those of
    the ``held_out (m,)`` rows with the parameter chosen. ``folds`` is 0 where nothing could be held out: then the
    parameter is the default, and the temperature 1.
    """

    parameter: float
    temperature: float
    folds: int
    log_losses: dict[float, float]
    held_out: Ints
    scores: NDArray[np.float64]

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """float64 ``(m, K)`` of the held-out rows."""
        return at_temperature(self.scores, self.temperature)


def choose(learner: Learner, codes: Ints, weights: Floats, groups: Ints, *, seed: int) -> Choice:
    """Cross-validate every parameter over folds of whole groups; the least log loss wins, of equals the more cautious.

    codes, weights, groups: ``(n,)``. A held-out row whose class its fold's training rows lack does not count.
    """
    fold = deal(codes, groups, seed=seed)
    count = int(fold.max(initial=NEVER_HELD_OUT)) + 1
    classes = int(codes.max()) + 1
    parts: list[tuple[Ints, NDArray[np.float64]]] = []
    for number in range(count):
        held_out = fold == number
        held_out &= np.isin(codes, np.unique(codes[~held_out]))
        if held_out.any():
            parts.append((np.flatnonzero(held_out), learner.scores(fold != number, held_out)))
    if not parts:
        return Choice(learner.default, 1.0, 0, {}, np.empty(0, np.int64), np.empty((0, classes)))
    rows = np.concatenate([rows for rows, _ in parts])
    scores = np.concatenate([found for _, found in parts], axis=1)
    doubt = 1 / (len(np.unique(groups[rows])) + 2)
    tried = []
    for own in scores:
        temperature = fit_temperature(own, codes[rows], weights[rows], doubt=doubt)
        tried.append((log_loss(at_temperature(own, temperature), codes[rows], weights[rows]), temperature))
    losses = np.array([loss for loss, _ in tried])
    best = int(np.flatnonzero(losses <= losses.min() + 1e-9)[0])
    return Choice(
        parameter=learner.parameters[best],
        temperature=tried[best][1],
        folds=count,
        log_losses=dict(zip(learner.parameters, losses.tolist(), strict=True)),
        held_out=rows,
        scores=scores[best],
    )
