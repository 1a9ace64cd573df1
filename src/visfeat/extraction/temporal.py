"""Pooling the rows that a store holds to one a video, shot or step: nothing is decoded, no network runs.

The pooled rows are a recipe of their own in the same store, under the same contents. What is there stays; a content
whose rows are partial is partial; one whose rows failed has its reason with the rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from visfeat.errors import MediaError, UnsupportedMedia, UsageError
from visfeat.extraction.progress import Progress
from visfeat.extraction.stored_rows import ItemRows, item_rows
from visfeat.extraction.vocabulary import known_vocabulary, vocabulary
from visfeat.media.item import MediaItem
from visfeat.media.read import identify
from visfeat.recipe import Recipe
from visfeat.shots.ensure import StoredShots
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import KnownItem, LayerShape, Rows, Status, StoredRecipe
from visfeat.store.selection import Space
from visfeat.store.writer import StoreWriter
from visfeat.temporal.pooling import PooledRecipe, resolve_pooled
from visfeat.temporal.segments import PooledRows, ShotSpans, pool_rows, segments_of, spans_of
from visfeat.temporal.weights import Weights

ShotsOf = Callable[[str, str], ShotSpans]
"""URI and content hash -> the shots of that video; raises MediaError where they cannot be found."""


@dataclass(frozen=True, slots=True)
class Content:
    """One content whose rows are there: how they came out, and the items that have it."""

    content_hash: str
    status: Status
    reason: str | None
    uris: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a content, and its pooled rows by layer."""

    status: Status
    reason: str | None
    rows: Mapping[str, PooledRows]

    @property
    def num_rows(self) -> int:
        """Its positions, the same in every layer."""
        return len(next(iter(self.rows.values()), ()))


def pool_stored(
    store: FeatureStore,
    wanted: Recipe,
    rows_digest: str,
    uris: Iterable[str] | None = None,
    *,
    shots_of: ShotsOf | None = None,
    redo: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[Recipe, Progress, bool]:
    """Pool the rows of these items (None: of all) as ``wanted`` says and write them: what is missing, or all to redo.

    ``rows_digest``: the recipe of the rows, which the store has. Returns the recipe with every field filled in, what
    became of the items, and False where an interrupt stopped it early with what was finished committed. Raises
    UsageError, ModelError, MissingExtra or StoreError. ``shots_of``: the store's, found now where it has none.
    """
    uris = None if uris is None else list(uris)
    rows = _stored(store, rows_digest)
    if rows is None and uris is None:
        raise UsageError(f"{store.path}: has no rows of {wanted.model} to pool; name the files whose rows are wanted")
    progress = Progress(started_at=time.monotonic())
    if not missing(store, rows_digest, "", uris, progress, redo=True) or rows is None:
        return wanted, progress, True  # nothing that was named has rows; why, is counted
    progress = Progress(started_at=progress.started_at)
    pooled = _resolved(store, wanted, rows, vocabulary)
    todo = missing(store, rows_digest, pooled.recipe.digest, uris, progress, redo=redo)
    completed = True
    if todo:
        layers = [LayerShape(layer, pooling.shape) for layer, pooling in pooled.poolings.items()]
        facts = dict(rows.facts) | {"numpy": version("numpy"), "pooled_rows": rows_digest}
        with store.writer(pooled.recipe, layers=layers, facts=facts, card_toml=rows.card_toml, redo=redo) as writer:
            try:
                for content, outcome in _outcomes(store, rows, pooled, todo, shots_of or stored_shots(store, report)):
                    _write(writer, content.content_hash, outcome)
                    progress.count(outcome.status, len(content.uris), is_new=True)
                    progress.rows += outcome.num_rows * len(layers)
                    on_progress(progress)
            except KeyboardInterrupt:
                completed = False
    return pooled.recipe, progress, completed


def plan_pooled(
    store: FeatureStore, wanted: Recipe, rows_digest: str, uris: Iterable[str] | None = None
) -> tuple[Recipe | None, Progress, int]:
    """What ``pool_stored`` would do, without writing anything: the recipe, what is known, how many items to pool.

    The recipe is None where the store has no such rows, or no vocabulary yet.
    """
    rows = _stored(store, rows_digest)
    progress = Progress(started_at=time.monotonic())
    recipe = None
    if rows is not None:
        with suppress(LookupError):
            recipe = _resolved(store, wanted, rows, known_vocabulary).recipe
    digest = "" if recipe is None else recipe.digest
    todo = missing(store, rows_digest, digest, uris, progress, redo=recipe is None)
    return recipe, progress, sum(len(content.uris) for content in todo)


def _stored(store: FeatureStore, digest: str) -> StoredRecipe | None:
    return next((stored for stored in store.recipes() if stored.digest == digest), None)


def _resolved(store: FeatureStore, wanted: Recipe, rows: StoredRecipe, learn: Callable[..., Weights]) -> PooledRecipe:
    """The pooled recipe over a store's rows, with every field filled in; raises as ``pool_stored`` does."""
    shapes = {one.layer: one.shape for one in rows.layers}
    return resolve_pooled(wanted, rows.recipe, shapes, lambda *asked: learn(store, rows, *asked))


def stored_shots(store: FeatureStore, report: Callable[[str], None] = lambda _: None) -> ShotsOf:
    """The shots that a store knows; those of other videos are found in a decode of their own, and kept.

    ``report`` is told of each such decode.
    """
    stored: list[StoredShots] = []

    def find(uri: str, content_hash: str) -> ShotSpans:
        if not stored:
            stored.append(StoredShots(store.path))
        known = stored[0].known(content_hash)
        if known is None:
            report(f"{uri}: finding its shots (once; then the store has them)")
            known = stored[0].of(identify(MediaItem(uri, 0, 0))[0])
        return spans_of(known)

    return find


def missing(
    store: FeatureStore, rows_digest: str, digest: str, uris: Iterable[str] | None, progress: Progress, *, redo: bool
) -> list[Content]:
    """The contents that have rows and no pooled ones yet; all other items are counted by what is known of them."""
    known = store.known_items()
    of_rows = {one["content_hash"]: one for one in store.extractions(rows_digest).to_pylist()}
    before = {} if redo else store.outcomes(digest)
    found: dict[str, list[str]] = {}
    for uri in known if uris is None else uris:
        item = known.get(uri)
        row = None if item is None else of_rows.get(item.content_hash)
        status = _settled(item, row, before)
        if status is not None:
            progress.count(status, is_new=False)
        elif item is not None and row is not None:
            found.setdefault(item.content_hash, []).append(uri)
        else:
            continue  # of another recipe, or an interrupted run did not come to it
        progress.total += 1
    return [
        Content(one, Status(of_rows[one]["status"]), of_rows[one]["reason"], tuple(items))
        for one, items in found.items()
    ]


def _settled(item: KnownItem | None, row: dict[str, Any] | None, before: Mapping[str, Status]) -> Status | None:
    """What is known of an item for which there is nothing to pool; ``row``: how its rows came out."""
    if item is None:
        return None
    if row is None:
        return item.status if item.status in (Status.IGNORED, Status.FAILED) else None
    if row["status"] == Status.FAILED:
        return Status.FAILED
    pooled = before.get(item.content_hash)
    return None if pooled is Status.FAILED else pooled


def _outcomes(
    store: FeatureStore, rows: StoredRecipe, pooled: PooledRecipe, todo: list[Content], shots_of: ShotsOf
) -> Iterator[tuple[Content, Outcome]]:
    readers = {one.layer: store.read_space(Space(rows, one)) for one in rows.layers}
    by_uri = {content.uris[0]: content for content in todo}
    for item in item_rows(readers, list(by_uri)):
        content = by_uri[item.uri]
        yield content, _outcome(item, content, pooled, shots_of)


def _outcome(item: ItemRows, content: Content, pooled: PooledRecipe, shots_of: ShotsOf) -> Outcome:
    """Pool one content; shots that cannot be found, and shots without a row, have their reason in the record."""
    shots = None
    if pooled.recipe.segments is not None and not np.isnan(item.times.start_s).any():
        try:
            shots = shots_of(item.uri, content.content_hash)
        except UnsupportedMedia:
            shots = None  # an animation that is read as a video is one shot
        except MediaError as error:
            return Outcome(Status.FAILED, f"its shots cannot be found: {error}", {})
    segments, without = segments_of(item.times, shots)
    values = {
        layer: pool_rows(item.rows[layer], item.times, segments, pooling) for layer, pooling in pooled.poolings.items()
    }
    if without:
        remedy = "--frames-per-shot 1 or a denser --every gives them one"
        reason = f"no row lies in {without} of {without + len(segments)} shots; {remedy}"
        return Outcome(Status.PARTIAL, "; ".join(filter(None, (content.reason, reason))), values)
    return Outcome(content.status, content.reason, values)


def _write(writer: StoreWriter, content_hash: str, outcome: Outcome) -> None:
    for layer, pooled in outcome.rows.items():
        times = pooled.times
        writer.add(Rows(content_hash, layer, 0, pooled.values, times.start_s, times.end_s, times.frame_index))
    writer.finish_content(content_hash, outcome.status, outcome.num_rows, reason=outcome.reason)
