"""extract and extract_many: from files to committed rows; the public functions of the whole path."""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from visfeat.errors import UsageError
from visfeat.extraction.one_pass import Part, run_pass
from visfeat.extraction.orders import FeatureOrder, Order, ShotOrder
from visfeat.extraction.progress import Progress
from visfeat.extraction.settings import DEFAULT_STORE, SHOTS, RecipeLike, Settings, said_by
from visfeat.media.find import find_media
from visfeat.media.item import MediaItem
from visfeat.models.lstm import with_run
from visfeat.presets import recipes_of
from visfeat.recipe import Recipe
from visfeat.store import layout
from visfeat.temporal.pooling import check_fits

__all__ = ["DEFAULT_STORE", "Run", "extract", "extract_many"]

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


def extract(
    sources: Source | Sequence[Source],
    *,
    recipe: RecipeLike = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    **options: Any,
) -> Run:
    """Extract features of images and videos into a store; do only what is missing.

    sources: files, folders, globs. ``recipe``: a Recipe or a TOML file. Everything else as for ``extract_many``;
    ``on_progress`` is called about ten times a second.

    A file that cannot be read is recorded and counted, never raised. Ctrl-C commits what is finished and returns with
    ``interrupted``. Raises UsageError, ModelError, EngineError, StoreError or MissingExtra.
    """
    if recipe != SHOTS and len(recipes_of(recipe, {})) > 1:
        raise UsageError(f"recipe {recipe}: its preset has several streams; use extract_many")
    (run,) = extract_many(sources, [recipe], on_progress=lambda progress: on_progress(progress[0]), **options)
    return run


def extract_many(  # noqa: PLR0913 (what the whole path can be told, all by name)
    sources: Source | Sequence[Source],
    recipes: Sequence[RecipeLike],
    *,
    store: str | os.PathLike[str] | None = None,
    listed: Iterable[str] = (),
    redo: bool = False,
    dry_run: bool = False,
    max_pixels: int | None = None,
    threads: int | None = None,
    on_progress: Callable[[Sequence[Progress]], None] = lambda _: None,
    report: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> list[Run]:
    """Extract several recipes in one pass: each file is read once, each video decoded once. A Run for each recipe.

    sources: files, folders, globs; ``listed``: further paths, taken literally. ``recipes``: each a Recipe, a TOML file,
    or the word ``shots`` for the store's table of shots. ``options`` are Recipe's fields and override those of all
    recipes (``model="timm/resnet50"``, ``every_s=0.5``). ``store``: ``features.vf`` unless said otherwise; a file may
    also say store, max_pixels and threads. ``redo`` does again what is there; ``dry_run`` only counts. ``threads``: how
    many threads compute, all cores by default. ``on_progress`` is called about ten times a second with the progress of
    all, ``report`` with a line when something takes long.

    The rows of each recipe are those of a run of its own. A recipe whose network breaks does not stop the others: its
    error is raised after them. Everything else as for ``extract``.
    """
    sources = [sources] if isinstance(sources, str | os.PathLike) else sources
    given = {"store": store, "max_pixels": max_pixels, "threads": threads}
    settings = Settings(said_by(recipes, given), redo, dry_run, on_progress, report)
    wanted = [one for recipe in recipes for one in _recipes_in(recipe, options)]
    _refuse_shots_of_a_stream(wanted, options.get("stream"))
    orders = _Orders(settings)
    # Shots that are pooled over are found in the same decode.
    by_shot = any(recipe is not None and recipe.segments is not None for recipe in wanted)
    needed = [*wanted, None] if by_shot else wanted
    items = _find_and_prepare(find_media(sources, listed=listed), needed, orders)
    _check_pooled(wanted, orders, settings, has_sources=bool(sources or listed))
    parts = _extract(items, orders.all, settings)
    runs = [_run_of(parts[orders.number(recipe)], recipe, settings) for recipe in wanted]
    # Without sources: all items of the store.
    uris = [item.uri for item in items] if sources or listed else None
    return [_pooled(run, recipe, uris, settings) for run, recipe in zip(runs, wanted, strict=True)]


def _recipes_in(recipe: RecipeLike, options: dict[str, Any]) -> list[Recipe | None]:
    """The recipes that one word means, None for the table of shots: a file may name a preset of two streams."""
    return [None] if recipe == SHOTS else [with_run(one) for one in recipes_of(recipe, options)]


def _refuse_shots_of_a_stream(wanted: Sequence[Recipe | None], stream: int | None) -> None:
    """Raise UsageError where shots of a stream would be taken for those of the best one, which a store knows."""
    by_shot = [stream if recipe is None else recipe.stream for recipe in wanted if recipe is None or recipe.segments]
    chosen = [number for number in by_shot if number is not None]
    if chosen:
        raise UsageError(
            f"--stream {chosen[0]}: a store has the shots of each video's best stream alone; leave it out, or let only "
            "recipes without shots say it"
        )


class _Orders:
    """The orders of a run; recipes that need the same rows share one."""

    def __init__(self, settings: Settings) -> None:
        self.all: list[Order] = []
        self._settings = settings
        self._numbers: dict[Recipe | None, int] = {}

    def add(self, wanted: Recipe | None) -> None:
        """Prepare what a recipe needs, None for the table of shots; raises as ``prepare`` does."""
        key = self._key(wanted)
        if key in self._numbers:
            return
        order: Order = ShotOrder() if wanted is None else FeatureOrder(wanted.rows_recipe, self._settings)
        same = [number for number, other in enumerate(self.all) if other.recipe.digest == order.recipe.digest]
        self._numbers[key] = same[0] if same else len(self.all)
        if not same:
            self.all.append(order)

    def number(self, wanted: Recipe | None) -> int:
        """Which order a recipe's rows come from."""
        return self._numbers[self._key(wanted)]

    @staticmethod
    def _key(wanted: Recipe | None) -> Recipe | None:
        return None if wanted is None else wanted.rows_recipe.but(name=None)


def _find_and_prepare(found: Iterable[MediaItem], wanted: Sequence[Recipe | None], orders: _Orders) -> list[MediaItem]:
    """The items; a cold start imports Lance and lists files while the networks are compiled."""
    stopping = threading.Event()

    def prepare_each() -> None:
        for recipe in wanted:
            if not stopping.is_set():
                orders.add(recipe)

    with ThreadPoolExecutor(1, "visfeat-prepare") as background:
        preparing = background.submit(prepare_each)
        try:
            importlib.import_module("visfeat.store.feature_store")
            items = list(found)
            preparing.result()
        finally:
            # On Ctrl-C, what was not begun is not compiled in vain.
            stopping.set()
    return items


def _check_pooled(wanted: Sequence[Recipe | None], orders: _Orders, settings: Settings, *, has_sources: bool) -> None:
    """Raise what pooling would raise after the rows were made: a model that does not fit them, no rows at all."""
    for recipe in wanted:
        if recipe is None or recipe.rows_recipe is recipe:
            continue
        if not has_sources:
            layout.check(settings.store)
        order = orders.all[orders.number(recipe)]
        if isinstance(order, FeatureOrder):
            check_fits(recipe, order.recipe, order.row_shapes)


def _extract(items: list[MediaItem], orders: Sequence[Order], settings: Settings) -> list[Part]:
    """Do all orders in a pass; those whose batches did not fit go on in further ones, with smaller batches."""
    parts: dict[int, Part] = {}
    left = dict(enumerate(orders))
    while left:
        done = dict(zip(left, run_pass(items, list(left.values()), settings), strict=True))
        parts |= done
        left = {
            number: part.order.smaller(part.error, settings)
            for number, part in done.items()
            if part.error is not None and part.completed
        }
    return [parts[number] for number in range(len(orders))]


def _run_of(part: Part, wanted: Recipe | None, settings: Settings) -> Run:
    """What became of a recipe, under its own name: others may need the same rows."""
    recipe = part.order.recipe
    items = part.progress.by_outcome
    if settings.dry_run:
        items["todo"] = len(part.planned.todo)
    return Run(
        store=settings.store,
        recipe=recipe if wanted is None else recipe.but(name=wanted.name),
        items=items,
        rows=part.progress.rows,
        elapsed_s=part.progress.elapsed_s,
        interrupted=not part.completed,
        dry=settings.dry_run,
    )


def _pooled(rows: Run, wanted: Recipe | None, uris: list[str] | None, settings: Settings) -> Run:
    """Pool the rows of a run over time where the recipe says so; one that was interrupted has not all of them."""
    if wanted is None or wanted.rows_recipe is wanted or rows.interrupted:
        return rows
    if rows.dry:
        return _pooled_dry(rows, wanted, uris)
    from visfeat.extraction.temporal import pool_stored
    from visfeat.store.feature_store import FeatureStore

    recipe, progress, completed = pool_stored(
        FeatureStore.open(settings.store),
        wanted,
        rows.recipe.digest,
        uris,
        redo=settings.redo,
        on_progress=lambda progress: settings.on_progress([progress]),
        report=settings.report,
    )
    return replace(
        rows,
        recipe=recipe,
        items=progress.by_outcome,
        rows=progress.rows,
        elapsed_s=time.monotonic() - settings.started_at,
        interrupted=not completed,
    )


def _pooled_dry(rows: Run, wanted: Recipe, uris: list[str] | None) -> Run:
    """What would be pooled, besides the rows that would be made first."""
    if not (rows.store / layout.MARKER).is_file():
        return rows
    from visfeat.extraction.temporal import plan_pooled
    from visfeat.store.feature_store import FeatureStore

    recipe, known, number = plan_pooled(FeatureStore.open(rows.store), wanted, rows.recipe.digest, uris)
    return replace(rows, recipe=recipe or rows.recipe, items=known.by_outcome | {"todo": rows.items["todo"] + number})
