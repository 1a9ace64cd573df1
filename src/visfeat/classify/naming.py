"""Classes without labels: by the network's own classes, or by texts where the model has a text tower."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.card import ModelCard
from visfeat.class_groups import card_groups, probabilities
from visfeat.classify.predicting import TOP, Prediction, RowClassifier, predict_rows
from visfeat.classify.temperature import at_temperature
from visfeat.engine.prepare import prepare
from visfeat.errors import EngineError, MissingExtra, ModelError, UsageError
from visfeat.extraction.run import extract
from visfeat.media.item import path_of
from visfeat.pool import unit_length
from visfeat.recipe import Recipe
from visfeat.store.feature_store import FeatureStore
from visfeat.store.labels import LabelSource
from visfeat.store.records import Status, StoredRecipe
from visfeat.store.selection import Space

Floats = NDArray[np.floating[Any]]
Report = Callable[[str], None]

TEMPLATE = "{}"


def label_by_classes(
    store: FeatureStore,
    *,
    model: str | None = None,
    recipe: str | None = None,
    name: str | None = None,
    top: int = TOP,
    keep: bool = True,
    report: Report = lambda _: None,
) -> list[Prediction]:
    """The network's own classes of every item of a store, and of the passages of its videos.

    ``model`` and ``recipe`` choose among several recipes. Logits that the store has as a layer's rows are taken from
    there; otherwise the files are read again, and the logits go when the labels are made. The store keeps the labels
    under ``name`` (the model's unless said otherwise). Raises UsageError where the network has no class names, and
    ModelError where it is no longer the one that made the rows.
    """
    spaces = store.spaces(model, None, recipe)
    with_logits = [space for space in spaces if space.layer.layer == _card(space.stored).logits_layer]
    stored = with_logits[0].stored if with_logits else _one_recipe(spaces)
    card = _card(stored)
    if card.logits_layer is None or not card.class_names:
        raise UsageError(
            f"{card.name} has no class names; fit a classifier on labels (visfeat classify fit), or say --texts where "
            "the model has a text tower"
        )
    classes, groups = card.class_names, card_groups(card)

    def by(digest: str) -> RowClassifier:
        source = LabelSource(name or card.name, card.weights_digest[:16], digest, str(card.logits_layer))
        return RowClassifier(source, classes, lambda values: probabilities(values, groups=groups), groups=groups)

    if with_logits and not stored.recipe.normalize:
        return predict_rows(store, with_logits[0], by(stored.digest), top=top, keep=keep)
    wanted = _logits_recipe(stored, card, report)
    with tempfile.TemporaryDirectory(prefix="visfeat-logits-") as folder:
        logits = _extracted(store, wanted, Path(folder) / "logits.vf", report)
        return predict_rows(store, logits.spaces()[0], by(stored.digest), top=top, keep=keep, rows_of=logits)


def label_by_texts(
    store: FeatureStore,
    texts: Sequence[str],
    *,
    template: str = TEMPLATE,
    model: str | None = None,
    recipe: str | None = None,
    name: str = "texts",
    top: int = TOP,
    keep: bool = True,
) -> list[Prediction]:
    """Which of the texts fits every item of a store best, and the passages of its videos, by the model's text tower.

    ``template``: what a text is put into, as ``a photo of {}``. Raises UsageError where the recipe's model has no text
    tower or its rows are not the model's embedding; MissingExtra without the extra ``text``.
    """
    if len(set(texts)) != len(texts) or len(texts) < 2:
        raise UsageError(f"--texts {','.join(texts)}: name two or more different texts")
    if "{}" not in template:
        raise UsageError(f"--template {template}: has no {{}} for the text")
    space = _embedding(store, model, recipe)
    try:
        from visfeat.models.open_clip_text import text_vectors
    except ModuleNotFoundError as error:
        raise MissingExtra(f"labels by texts ({error.name})", extra="text") from None
    known = text_vectors(space.stored.recipe, [template.replace("{}", text) for text in texts])
    digest = hashlib.sha256("\n".join((template, *texts)).encode()).hexdigest()[:16]

    def shares(values: Floats) -> NDArray[np.float64]:
        cosines = unit_length(np.asarray(values, np.float64)) @ known.values.T.astype(np.float64)
        return at_temperature(cosines, 1 / known.scale)

    source = LabelSource(name, digest, space.stored.digest, space.layer.layer)
    return predict_rows(store, space, RowClassifier(source, tuple(texts), shares), top=top, keep=keep)


def _card(stored: StoredRecipe) -> ModelCard:
    return ModelCard.from_toml(stored.card_toml, subject=stored.title)


def _one_recipe(spaces: Sequence[Space]) -> StoredRecipe:
    """The recipe of these spaces; raises UsageError where there are several."""
    stored = {space.stored.digest: space.stored for space in spaces}
    if len(stored) > 1:
        listed = "".join(f"\n  recipe {digest}, model {one.recipe.model}" for digest, one in stored.items())
        raise UsageError(f"several recipes fit; say which by model or recipe:{listed}")
    return next(iter(stored.values()))


def _embedding(store: FeatureStore, model: str | None, recipe: str | None) -> Space:
    """The one space that holds a model's embedding; raises UsageError where there is none, or several."""
    spaces = store.spaces(model, None, recipe)
    found = [space for space in spaces if space.layer.layer == _card(space.stored).default_layer]
    if not found:
        raise UsageError(f"{spaces[0]}: is not the model's embedding, which texts are compared with")
    if len(found) > 1:
        _one_recipe(found)
    return found[0]


def _logits_recipe(stored: StoredRecipe, card: ModelCard, report: Report) -> Recipe:
    """The recipe of the same rows' logits; raises ModelError where the network is no longer the same."""
    assert card.logits_layer is not None
    rows = stored.recipe.rows_recipe
    wanted = rows.but(
        name=None, layers=(card.logits_layer,), pool=None, normalize=False, top=0, crops=None, crops_apart=None,
        dtype="float32",
    )  # fmt: skip
    height, width = rows.input_size_px or (0, 0)
    for size in (None, height) if height == width else (None,):
        try:
            prepared = prepare(wanted.but(size=size), report=report)
        except (UsageError, EngineError):
            if size is None and height == width:
                continue
            raise
        if prepared.recipe.weights_digest == stored.recipe.weights_digest:
            return wanted.but(size=size)
    raise ModelError(f"{card.name}: is no longer the model that made these rows (its weights differ)")


def _extracted(store: FeatureStore, recipe: Recipe, folder: Path, report: Report) -> FeatureStore:
    """The logits of a store's items in a store of their own."""
    readable = (Status.DONE, Status.PARTIAL)
    paths = [path_of(uri) for uri, item in store.known_items().items() if item.status in readable]
    report(f"reading {len(paths)} files again for the classes of {recipe.model}")
    run = extract((), recipe=recipe, store=folder, listed=paths, report=report)
    if run.interrupted:
        raise KeyboardInterrupt
    if failed := run.items["failed"]:
        report(f"{failed} files could not be read any more, and got no label")
    return FeatureStore.open(folder)
