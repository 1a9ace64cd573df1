"""One pass over the media for any number of orders: what is missing is read, decoded once, and committed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from visfeat.decode.decoder import DecodeOptions
from visfeat.engine.cpu import cores
from visfeat.errors import OutOfMemory
from visfeat.extraction.lane import Lane
from visfeat.extraction.orders import FeatureOrder, Order, ShotOrder, Site
from visfeat.extraction.pipeline import Pipeline
from visfeat.extraction.plan import Plan, moved_away, plan
from visfeat.extraction.progress import Progress
from visfeat.extraction.settings import Settings
from visfeat.extraction.work import Task
from visfeat.media.item import MediaItem
from visfeat.shots.ensure import StoredShots
from visfeat.store.records import Status


@dataclass
class Part:
    """What a pass is for one order, and how it came out."""

    order: Order
    outcomes: dict[str, Status]
    planned: Plan
    progress: Progress
    completed: bool = True
    error: OutOfMemory | None = None
    """Its batches did not fit; what was finished before is committed."""


def run_pass(items: Sequence[MediaItem], orders: Sequence[Order], settings: Settings) -> list[Part]:
    """Do for each order what is missing of it.

    Raises the EngineError, ModelError or StoreError of the first order that broke, after all others were done.
    """
    from visfeat.store.feature_store import FeatureStore  # imported beside the compilation of the networks

    if settings.dry_run and _is_new(settings.store):
        return [_part(items, order, None, settings) for order in orders]
    store = FeatureStore.open(settings.store) if settings.dry_run else FeatureStore.create_or_open(settings.store)
    site = Site(store, store.known_items(), _shots(orders, settings), {})
    parts = [_part(items, order, site, settings) for order in orders]
    if any(part.planned.todo for part in parts) and not settings.dry_run:
        _run(items, parts, site, settings)
        store.remove_items(moved_away(site.known, site.found))
    return parts


def _is_new(folder: Path) -> bool:
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _shots(orders: Sequence[Order], settings: Settings) -> StoredShots | None:
    """The shots that the store knows, where an order needs them."""
    if not any(order.needs_shots for order in orders):
        return None
    anew = settings.redo and any(isinstance(order, ShotOrder) for order in orders)
    return StoredShots(settings.store, threads=settings.threads, anew=anew)


def _part(items: Sequence[MediaItem], order: Order, site: Site | None, settings: Settings) -> Part:
    """Plan an order; without a site nothing is known."""
    outcomes = {} if site is None else order.outcomes(site)
    planned = plan(items, {} if site is None else site.known, outcomes, redo=settings.redo)
    return Part(order, outcomes, planned, Progress.starting(planned, settings.started_at, order.recipe.title))


def _run(items: Sequence[MediaItem], parts: Sequence[Part], site: Site, settings: Settings) -> None:
    """Run the parts that have something to do through one pipeline, and note how they came out."""
    # Who takes frames by shot finds the shots first: then nobody need find them again.
    busy = sorted((part for part in parts if part.planned.todo), key=lambda part: isinstance(part.order, ShotOrder))
    with ExitStack() as stack:
        lanes = [stack.enter_context(part.order.lane(site, part.outcomes, part.progress, settings)) for part in busy]
        pipeline = Pipeline(
            lanes,
            options=DecodeOptions(max_pixels=settings.max_pixels),
            # One more than cores: a thread that waits for the disk or a queue leaves no core idle.
            workers=(settings.threads or cores()) + 1,
        )
        progress = [part.progress for part in parts]
        started_s = time.monotonic()
        completed = pipeline.run(_tasks(items, busy, lanes), lambda: settings.on_progress(progress))
        sound = [part for part, lane in zip(busy, lanes, strict=True) if lane.error is None]
        _note_speed(site, sound, seconds=time.monotonic() - started_s, recipes=len(busy))
    for part, lane in zip(busy, lanes, strict=True):
        part.completed = completed
        if isinstance(lane.error, OutOfMemory):
            part.error = lane.error
        elif lane.error is not None:
            raise lane.error


def _note_speed(site: Site, parts: Sequence[Part], *, seconds: float, recipes: int) -> None:
    """Note how long the features of each recipe took, for whoever compares recipes."""
    from visfeat.store.runs import add_run

    for part in parts:
        if part.progress.frames and isinstance(part.order, FeatureOrder):
            digest = part.order.recipe.digest
            add_run(site.store.path, digest, rows=part.progress.frames, seconds=seconds, recipes=recipes)


def _tasks(items: Sequence[MediaItem], busy: Sequence[Part], lanes: Sequence[Lane]) -> list[Task]:
    """The items that any lane lacks, in their order."""
    lacking = [({item.uri for item in part.planned.todo}, lane) for part, lane in zip(busy, lanes, strict=True)]
    tasks = (Task(item, tuple(lane for uris, lane in lacking if item.uri in uris)) for item in items)
    return [task for task in tasks if task.lanes]
