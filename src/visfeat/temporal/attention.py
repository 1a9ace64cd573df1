"""Attention over rows: a mean weighted by how much each row counts, ``y = sum_t w_t x_t`` with ``w = softmax(score)``.

Learned (Bahdanau, Cho and Bengio, Neural machine translation by jointly learning to align and translate, 2015):

    score_t = v . tanh(W x_t + b)

Without anything learned, the mean row is the query of a scaled dot product (Vaswani et al., Attention is all you need,
2017). That is the attention pooling of CLIP's ResNets (Radford et al., 2021), whose query is the mean too, without its
learned projections:

    score_t = mean(x) . x_t / sqrt(D)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import ModelError
from visfeat.temporal.moments import mean
from visfeat.temporal.rows import Doubles, RowSequence, in_double, parts

_NAMES = ("project.weight", "project.bias", "score.weight")


@dataclass(frozen=True, slots=True)
class Attention:
    """What was learned: ``W`` float64 ``(A, D)``, ``b`` ``(A,)`` and ``v`` ``(A,)``."""

    project: Doubles
    bias: Doubles
    score: Doubles

    @property
    def width(self) -> int:
        """D of the rows that it reads."""
        return int(self.project.shape[1])

    def __call__(self, rows: RowSequence) -> Doubles:
        """Rows ``(T, D)`` -> their weighted mean, float64 ``(D,)``."""
        return _weighted(rows, lambda x: np.tanh(x @ self.project.T + self.bias) @ self.score)


def attend_to_mean(rows: RowSequence) -> Doubles:
    """Rows ``(T, D)`` -> their mean weighted by the likeness to the plain mean, float64 ``(D,)``."""
    query = mean(rows) / np.sqrt(rows[:1].shape[1])
    return _weighted(rows, lambda x: x @ query)


def _weighted(rows: RowSequence, score: Callable[[Doubles], Doubles]) -> Doubles:
    weights = softmax(np.concatenate([score(in_double(rows, part)) for part in parts(len(rows))]))
    return np.asarray(sum(weights[part] @ in_double(rows, part) for part in parts(len(rows))))


def softmax(scores: Doubles) -> Doubles:
    """Weights of scores ``(T,)`` that sum to 1; the largest is taken off first, so that nothing overflows."""
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def attention_of(weights: Mapping[str, NDArray[np.floating[Any]]], *, subject: str) -> Attention:
    """Attention from ``project.weight``, ``project.bias`` and ``score.weight``, whatever stands before these names.

    Raises ModelError that names the subject and what is missing or does not fit.
    """
    found = {}
    for wanted in _NAMES:
        names = [name for name in weights if name == wanted or name.endswith(f".{wanted}")]
        if not names:
            raise ModelError(f"{subject}: holds no attention, it has no {wanted}")
        found[wanted] = weights[names[0]].astype(np.float64)
    project, bias, score = (found[name] for name in _NAMES)
    if project.ndim != 2 or bias.shape != project.shape[:1] or score.size != len(project):
        raise ModelError(
            f"{subject}: project {project.shape}, its bias {bias.shape} and score {score.shape} do not fit"
        )
    return Attention(project, bias, score.reshape(-1))


def random_attention(width: int, *, seed: int) -> dict[str, Doubles]:
    """Weights by name for rows of that width, uniform in +-1/sqrt(width)."""
    rng = np.random.default_rng(seed)
    bound = 1.0 / np.sqrt(width)
    shapes = {"project.weight": (width, width), "project.bias": (width,), "score.weight": (1, width)}
    return {name: rng.uniform(-bound, bound, shape) for name, shape in shapes.items()}
