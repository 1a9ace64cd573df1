"""extract: from files to committed rows; the one public function of the whole path."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visfeat.decode.decoder import DEFAULT_MAX_PIXELS, DecodeOptions
from visfeat.engine.cpu import cores
from visfeat.engine.prepare import Prepared, prepare
from visfeat.errors import OutOfMemory
from visfeat.extraction.pipeline import Pipeline, Progress
from visfeat.extraction.plan import Plan, moved_away, plan
from visfeat.media.find import find_media
from visfeat.media.item import MediaItem
from visfeat.models.lstm import with_run
from visfeat.recipe import Recipe, recipe_of, run_options
from visfeat.store.records import LayerShape, Status
from visfeat.views import whole_rows

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore

DEFAULT_STORE = "features.vf"

Source = str | os.PathLike[str]


@dataclass(frozen=True)
class Run:
    """What an extraction did. ``items`` counts by outcome, ``rows`` the vectors written."""

    store: Path
    recipe: Recipe
    items: dict[str, int]
    rows: int
    elapsed_s: float
    interrupted: bool = False
    dry: bool = False

    @property
    def exit_code(self) -> int:
        """0 all done, 3 done with failures, 130 interrupted."""
        if self.interrupted:
            return 130
        return 3 if self.items["failed"] or self.items["partial"] else 0

    def to_json(self) -> dict[str, Any]:
        """The summary as plain data."""
        return {
            "store": str(self.store),
            "recipe": {"name": self.recipe.title, "digest": self.recipe.digest},
            "items": dict(self.items),
            "rows": self.rows,
            "elapsed_s": round(self.elapsed_s, 3),
        }

    @property
    def summary(self) -> str:
        """One line for people."""
        counts = ", ".join(f"{number} {name}" for name, number in self.items.items() if number)
        return f"{counts or 'nothing to do'}; {self.rows} rows in {self.elapsed_s:.1f} s -> {self.store}"


def extract(  # noqa: PLR0913 (what the whole path can be told, all by name)
    sources: Source | Sequence[Source],
    *,
    store: str | os.PathLike[str] | None = None,
    recipe: Recipe | str | os.PathLike[str] | None = None,
    listed: Iterable[str] = (),
    redo: bool = False,
    dry_run: bool = False,
    max_pixels: int | None = None,
    threads: int | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    report: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> Run:
    """Extract features of images and videos into a store; do only what is missing.

    sources: files, folders, globs; ``listed``: further paths, taken literally. ``store``: ``features.vf`` unless said
    otherwise. ``recipe``: a Recipe or a TOML file; ``options`` are Recipe's fields and override it
    (``model="timm/resnet50"``, ``every_s=0.5``). A file may also say store, max_pixels and threads. ``redo`` does again
    what is there; ``dry_run`` only counts. ``threads``: how many threads compute, all cores by default.
    ``on_progress`` is called about ten times a second, ``report`` with a line when something takes long.

    A file that cannot be read is recorded and counted, never raised. Ctrl-C commits what is finished and returns with
    ``interrupted``. Raises UsageError, ModelError, EngineError, StoreError or MissingExtra.
    """
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    wanted = with_run(recipe_of(recipe, options))
    given = {"store": store, "max_pixels": max_pixels, "threads": threads}
    said = {} if recipe is None or isinstance(recipe, Recipe) else run_options(recipe)
    said |= {name: value for name, value in given.items() if value is not None}
    settings = _Settings(said, redo=redo, dry_run=dry_run, on_progress=on_progress, report=report)
    items, prepared = _find_and_prepare(find_media(sources, listed=listed), wanted.rows_recipe, settings)
    run = _extract_rows(items, prepared, wanted.rows_recipe, settings)
    if wanted.rows_recipe is wanted:
        return run
    # Without sources: all items of the store.
    return _pool(run, wanted, [item.uri for item in items] if sources or listed else None, settings)


def _extract_rows(items: list[MediaItem], prepared: Prepared, wanted: Recipe, settings: _Settings) -> Run:
    """Extract with smaller and smaller batches, until they fit the device."""
    while True:
        try:
            return _extract_once(items, prepared, settings)
        except OutOfMemory as error:
            wanted = wanted.but(batch_size=_halved(error, wanted.crops or 1))
            settings.report(f"{error}; starting its batches anew with {wanted.batch_size} at a time")
            settings = replace(settings, redo=False)
            prepared = prepare(wanted, threads=settings.threads, report=settings.report)


def _pool(rows: Run, wanted: Recipe, uris: list[str] | None, settings: _Settings) -> Run:
    """Pool the rows of a run over time, without a pixel; one that was interrupted has not all of them."""
    from visfeat.extraction.temporal import pool_stored
    from visfeat.store.feature_store import FeatureStore

    if rows.interrupted or rows.dry:
        return rows
    store = FeatureStore.open(settings.store)
    recipe, progress, completed = pool_stored(
        store,
        wanted,
        rows.recipe.digest,
        uris,
        redo=settings.redo,
        on_progress=settings.on_progress,
        report=settings.report,
    )
    return replace(
        rows,
        recipe=recipe,
        items=_by_outcome(progress),
        rows=progress.rows,
        elapsed_s=time.monotonic() - settings.started_at,
        interrupted=not completed,
    )


@dataclass(frozen=True)
class _Settings:
    """How to run, apart from the recipe; ``said`` holds store, max_pixels and threads where somebody said them."""

    said: dict[str, Any]
    redo: bool
    dry_run: bool
    on_progress: Callable[[Progress], None]
    report: Callable[[str], None]
    started_at: float = field(default_factory=time.monotonic)

    @property
    def store(self) -> Path:
        return Path(self.said.get("store", DEFAULT_STORE))

    @property
    def max_pixels(self) -> int:
        return int(self.said.get("max_pixels", DEFAULT_MAX_PIXELS))

    @property
    def threads(self) -> int | None:
        return self.said.get("threads")


def _find_and_prepare(
    found: Iterable[MediaItem], wanted: Recipe, settings: _Settings
) -> tuple[list[MediaItem], Prepared]:
    """The items, and the compiled network: a cold start imports Lance and lists files while the model is compiled."""
    with ThreadPoolExecutor(1, "visfeat-prepare") as background:
        preparing = background.submit(prepare, wanted, threads=settings.threads, report=settings.report)
        importlib.import_module("visfeat.store.feature_store")
        return list(found), preparing.result()


def _extract_once(items: list[MediaItem], prepared: Prepared, settings: _Settings) -> Run:
    from visfeat.store.feature_store import FeatureStore  # see extract: imported beside the compilation

    digest = prepared.recipe.digest
    is_new = not settings.store.exists() or (settings.store.is_dir() and not any(settings.store.iterdir()))
    if settings.dry_run and is_new:
        nothing_done = Progress(started_at=settings.started_at)
        return _finish(settings, prepared, plan(items, {}, {}), nothing_done, completed=True)
    store = FeatureStore.open(settings.store) if settings.dry_run else FeatureStore.create_or_open(settings.store)
    outcomes, known = store.outcomes(digest), store.known_items()
    planned = plan(items, known, outcomes, redo=settings.redo)
    progress = Progress.starting(planned, settings.started_at)
    completed = True
    if planned.todo and not settings.dry_run:
        found: dict[str, str] = {}
        completed = _run(store, prepared, planned, {} if settings.redo else outcomes, progress, found, settings)
        store.remove_items(moved_away(known, found))
    return _finish(settings, prepared, planned, progress, completed=completed)


def _run(
    store: FeatureStore,
    prepared: Prepared,
    planned: Plan,
    outcomes: dict[str, Status],
    progress: Progress,
    found: dict[str, str],
    settings: _Settings,
) -> bool:
    layers = [LayerShape(name, shape) for name, shape in prepared.row_shapes.items()]
    card_toml = prepared.card.to_toml()
    facts = prepared.facts
    with store.writer(prepared.recipe, layers=layers, facts=facts, card_toml=card_toml, redo=settings.redo) as writer:
        pipeline = Pipeline(
            prepared,
            writer,
            outcomes,
            progress,
            found=found,
            options=DecodeOptions(max_pixels=settings.max_pixels),
            # One more than cores: a thread that waits for the disk or a queue leaves no core idle.
            workers=(settings.threads or cores()) + 1,
        )
        return pipeline.run(planned.todo, settings.on_progress)


def _finish(settings: _Settings, prepared: Prepared, planned: Plan, progress: Progress, *, completed: bool) -> Run:
    items = _by_outcome(progress)
    if settings.dry_run:
        items["todo"] = len(planned.todo)
    return Run(
        store=settings.store,
        recipe=prepared.recipe,
        items=items,
        rows=progress.rows,
        elapsed_s=progress.elapsed_s,
        interrupted=not completed,
        dry=settings.dry_run,
    )


def _by_outcome(progress: Progress) -> dict[str, int]:
    return {name: getattr(progress, name) for name in ("done", "partial", "failed", "unchanged", "ignored")}


def _halved(error: OutOfMemory, multiple: int) -> int:
    """Half of the batch that did not fit, in whole rows of several views; a row that does not fit is an end."""
    if error.batch_size <= multiple:
        raise error
    return whole_rows(error.batch_size // 2, multiple)
