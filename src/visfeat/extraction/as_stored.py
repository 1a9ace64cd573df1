"""The network that made a store's rows, made ready again: what is compared with them goes through the very recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from visfeat.engine.prepare import Prepared, prepare
from visfeat.errors import EngineError, ModelError, UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.extraction.vocabulary import known_vocabulary
from visfeat.recipe import Recipe, recipe_of
from visfeat.store.feature_store import FeatureStore
from visfeat.store.selection import Space
from visfeat.temporal.weights import Weights

Report = Callable[[str], None]


def prepare_as_stored(space: Space, *, report: Report, **sampling: Any) -> Prepared:
    """The network that made a space's rows, of its layer alone; ``sampling`` as for ``extract``.

    Raises UsageError for rows that stand for whole videos, and ModelError where the model is no longer the same.
    """
    stored = space.stored.recipe
    if stored.rows_recipe is not stored:
        raise UsageError(f"{space}: its rows stand for whole videos or shots; choose another by --recipe")
    return _again(_of_layer(_sampled(stored, sampling), space.layer.layer), space, report)


def extractor_as_stored(store: FeatureStore, space: Space, *, report: Report) -> Extractor:
    """An Extractor whose vectors are those of a space: also of rows that were pooled over time.

    Of a recipe of several layers that is pooled it gives them all. Raises ModelError where the model, or what the
    pooling has learned, is no longer the same.
    """
    stored = space.stored.recipe
    if stored.rows_recipe is stored:
        wanted = _of_layer(stored, space.layer.layer)
        return Extractor(recipe=wanted, prepared=_again(wanted, space, report))
    prepared = _again(stored.rows_recipe, space, report)

    def learned(layer: str, count: int, seed: int) -> Weights:
        digest = space.stored.facts.get("pooled_rows")
        for rows in store.recipes():
            if rows.digest == digest:
                return known_vocabulary(store, rows, layer, count, seed)
        raise LookupError(digest)

    try:
        extractor = Extractor(recipe=stored, prepared=prepared, learn=learned)
    except LookupError:
        raise ModelError(f"{space}: the store has lost the vocabulary of these rows; extract them again") from None
    if extractor.recipe.digest != stored.digest:
        raise ModelError(f"{space}: what pools its rows over time is no longer what it was ({stored.temporal_model})")
    return extractor


def _of_layer(recipe: Recipe, layer: str) -> Recipe:
    """The recipe of one of its layers, without class names."""
    pools = recipe.pool if isinstance(recipe.pool, tuple) else (recipe.pool,)
    return recipe.but(layers=(layer,), pool=(pools[(recipe.layers or ()).index(layer)],), top=0)


def _again(wanted: Recipe, space: Space, report: Report) -> Prepared:
    for size in _sizes(wanted):
        try:
            prepared = prepare(wanted.but(size=size), report=report)
        except (UsageError, EngineError):
            if size is not None or wanted.input_size_px is None:
                raise
            continue
        if prepared.recipe.digest == wanted.digest:
            return prepared
    raise ModelError(f"{space}: the model is no longer the one that made these rows (its weights or its card differ)")


def _sampled(stored: Recipe, sampling: dict[str, Any]) -> Recipe:
    """How a stream is sampled: as asked, else as the store's videos were, else every second."""
    asked = any(value is not None for value in sampling.values())
    needs_the_end = stored.frames is not None or stored.frames_per_shot is not None
    if not needs_the_end:
        return recipe_of(stored, sampling)
    return recipe_of(stored.but(shots_digest=None), sampling if asked else {"every_s": 1})


def _sizes(recipe: Recipe) -> list[int | None]:
    """The sizes with which a model may have been loaded: its own, else what the network was fed with."""
    square = recipe.input_size_px is not None and len(set(recipe.input_size_px)) == 1
    return [None, recipe.input_size_px[0]] if square and recipe.input_size_px else [None]
