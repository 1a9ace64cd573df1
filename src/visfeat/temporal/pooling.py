"""A recipe's way of pooling rows over time, ready to use: what it learned is loaded and fits the rows.

A pooled recipe's rows come from those of ``Recipe.rows_recipe``: no pixel is needed for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.engine.resolve_shots import shot_fields
from visfeat.errors import ModelError, UsageError
from visfeat.models.lstm import read_run
from visfeat.recipe import Recipe, Temporal
from visfeat.temporal.attention import Attention, attend_to_mean, attention_of, random_attention
from visfeat.temporal.lstm import Lstm, lstm_of, random_lstm
from visfeat.temporal.moments import maximum, mean, std
from visfeat.temporal.rows import Doubles, RowSequence
from visfeat.temporal.seeded import is_seeded, seeded
from visfeat.temporal.vlad import DEFAULT_CENTERS, vlad
from visfeat.temporal.weights import Weights, digest_of, read_weights

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
LearnVocabulary = Callable[[str, int, int], Weights]
"""Layer, number of centers, seed -> ``{"centers": (K, D)}``."""

LSTM_FORM = "random:SEED[,hidden=256][,layers=1][,bidirectional]"


@dataclass(frozen=True)
class Pooling:
    """What makes one row of many, or with ``steps`` as many of as many, at one layer."""

    shape: Shape
    """Of a pooled row."""
    apply: Callable[[RowSequence], Doubles]
    """Rows ``(T, ...)`` -> float64 ``(*shape)``, or ``(T, *shape)`` with ``steps``."""
    steps: bool = False


@dataclass(frozen=True)
class PooledRecipe:
    """A pooled recipe with nothing left open, and its pooling by layer."""

    recipe: Recipe
    poolings: Mapping[str, Pooling]


@dataclass(frozen=True)
class Learned:
    """What was learned, by layer; ``attends``: an LSTM's states are pooled by the attention that lies beside it."""

    by_layer: Mapping[str, Weights]
    subject: str
    attends: bool = False

    @property
    def digest(self) -> str:
        """Names all of it."""
        return digest_of(self.by_layer, also="attention" if self.attends else "")


def check_pooled(recipe: Recipe) -> Temporal:
    """The way of pooling over time, ``mean`` where only segments were asked for; raises UsageError for odd mixtures."""
    how = recipe.temporal or ("mean" if recipe.segments is not None else None)
    if how is None:
        option = "temporal-model" if recipe.temporal_model is not None else "temporal-rows"
        raise UsageError(f"--{option}: says nothing without --temporal")
    if recipe.temporal_model is not None and how in ("mean", "max", "std"):
        raise UsageError(f"--temporal-model {recipe.temporal_model}: {how} has nothing to learn")
    if recipe.temporal_rows is not None and how != "lstm":
        raise UsageError(f"--temporal-rows {recipe.temporal_rows}: only an LSTM has steps, not {how}")
    if recipe.temporal_model is None and how == "lstm":
        raise UsageError(f"--temporal lstm: say --temporal-model: a trained RUN, a FILE of weights, or {LSTM_FORM}")
    if recipe.top:
        raise UsageError(f"--top {recipe.top}: pooled rows have no class names; the rows that are pooled can have them")
    return how


def resolve_pooled(wanted: Recipe, rows: Recipe, shapes: Shapes, learn: LearnVocabulary | None = None) -> PooledRecipe:
    """Fill the open fields of a pooled recipe and make its poolings.

    ``rows``: the resolved recipe of the rows; ``shapes``: of one row, by layer. ``learn`` gives a vocabulary where VLAD
    has no file. Raises UsageError, or ModelError for a model that is damaged or does not fit the rows.
    """
    how = check_pooled(wanted)
    text = wanted.temporal_model or (f"kmeans:0,centers={DEFAULT_CENTERS}" if how == "vlad" else None)
    learned = None if text is None else _learned(how, text, rows, shapes, learn)
    steps = how == "lstm" and wanted.temporal_rows == "steps"
    poolings = {layer: _pooling(how, layer, shape, learned, steps=steps) for layer, shape in shapes.items()}
    resolved = rows.but(
        name=wanted.name,
        segments=wanted.segments,
        **shot_fields(rows.but(segments=wanted.segments)),
        temporal=how,
        temporal_model=text,
        temporal_model_digest=None if learned is None else learned.digest,
        temporal_rows=(wanted.temporal_rows or "final") if how == "lstm" else None,
    )
    return PooledRecipe(resolved, poolings)


def check_fits(wanted: Recipe, rows: Recipe, shapes: Shapes) -> None:
    """Raise, before a row is there, what ``resolve_pooled`` would raise; a vocabulary is learned only then."""
    resolve_pooled(wanted, rows, shapes, lambda layer, count, _: {"centers": np.zeros((count, shapes[layer][0]))})


def _learned(how: Temporal, text: str, rows: Recipe, shapes: Shapes, learn: LearnVocabulary | None) -> Learned:
    widths = {layer: _width(how, layer, shape) for layer, shape in shapes.items()}
    if is_seeded(text):
        try:
            return Learned(_seeded(how, text, widths, learn), text)
        except MemoryError:
            raise UsageError(f"--temporal-model {text}: is too large for this computer's memory") from None
    path = Path(text).expanduser()
    if path.is_file() or path.suffix == ".safetensors":
        return Learned(dict.fromkeys(shapes, read_weights(path)), text)
    run = read_run(text)
    if run.recipe.weights_digest not in (None, rows.weights_digest):
        raise ModelError(f"{text}: was trained on rows of other weights than those of {rows.model} ({rows.weights})")
    attends = run.pool == "attention" and how == "lstm"
    return Learned(dict.fromkeys(shapes, read_weights(run.weights)), text, attends)


def _seeded(how: Temporal, text: str, widths: Mapping[str, int], learn: LearnVocabulary | None) -> dict[str, Weights]:
    if how == "vlad":
        said = seeded(text, "kmeans", {"centers": DEFAULT_CENTERS})
        if learn is None:
            raise UsageError("--temporal vlad: a vocabulary is learned from a store's rows; say --temporal-model FILE")
        return {layer: learn(layer, said.sizes["centers"], said.seed) for layer in widths}
    if how == "attention":
        seed = seeded(text, "random", {}).seed
        return {layer: random_attention(width, seed=seed) for layer, width in widths.items()}
    said = seeded(text, "random", {"hidden": 256, "layers": 1}, ("bidirectional",))
    hidden, layers, both = said.sizes["hidden"], said.sizes["layers"], bool(said.sizes["bidirectional"])
    return {
        layer: random_lstm(width, hidden=hidden, layers=layers, bidirectional=both, seed=said.seed)
        for layer, width in widths.items()
    }


def _pooling(how: Temporal, layer: str, shape: Shape, learned: Learned | None, *, steps: bool) -> Pooling:
    if how in ("mean", "max", "std"):
        by_element = {"mean": mean, "max": maximum, "std": std}
        return Pooling(shape, by_element[how])
    width = _width(how, layer, shape)
    if learned is None:
        return Pooling((width,), attend_to_mean)
    weights, subject = learned.by_layer[layer], learned.subject
    if how == "vlad":
        return _vlad(weights, layer, width, subject)
    attention = attention_of(weights, subject=subject) if how == "attention" or learned.attends else None
    if how == "attention" and attention is not None:
        _check_width(subject, attention.width, layer, width)
        return Pooling((width,), attention)
    lstm = lstm_of(weights, subject=subject)
    _check_width(subject, lstm.width, layer, width)
    return Pooling((lstm.output_width,), _states(lstm, attention, steps=steps), steps)


def _vlad(weights: Weights, layer: str, width: int, subject: str) -> Pooling:
    centers: NDArray[np.floating[Any]] | None = weights.get(f"centers.{layer}", weights.get("centers"))
    if centers is None or centers.ndim != 2:
        raise ModelError(f"{subject}: holds no vocabulary, it has no centers (K, D)")
    _check_width(subject, centers.shape[1], layer, width)
    doubles = centers.astype(np.float64)
    return Pooling((centers.size,), lambda rows: vlad(rows, doubles))


def _states(lstm: Lstm, attention: Attention | None, *, steps: bool) -> Callable[[RowSequence], Doubles]:
    """Every state, the last one, or their mean by attention, as the run was trained."""

    def final(rows: RowSequence) -> Doubles:
        return lstm.final(rows) if attention is None else attention(lstm.run(rows)[0])

    return (lambda rows: lstm.run(rows)[0]) if steps else final


def _width(how: Temporal, layer: str, shape: Shape) -> int:
    if len(shape) != 1:
        sides = " x ".join(str(side) for side in shape)
        raise UsageError(f"--temporal {how}: reads vectors, but rows of {layer} are {sides}; pool them, --pool avg")
    return shape[0]


def _check_width(subject: str, read: int, layer: str, width: int) -> None:
    if read != width:
        raise ModelError(f"{subject}: reads rows of {read} values, but those of {layer} have {width}")
