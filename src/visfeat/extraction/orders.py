"""Orders: what a run is asked for, one a recipe, and the lanes that they become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from visfeat.engine.prepare import Prepared, prepare
from visfeat.engine.resolve_shots import SHOT_MODEL, shots_digest
from visfeat.errors import OutOfMemory
from visfeat.extraction.feature_lane import FeatureLane
from visfeat.extraction.lane import Lane
from visfeat.extraction.progress import Progress
from visfeat.extraction.settings import SHOTS, Settings
from visfeat.extraction.shot_lane import ShotLane
from visfeat.media.item import Kind
from visfeat.recipe import Recipe
from visfeat.shots.ensure import StoredShots
from visfeat.store.records import KnownItem, LayerShape, Status
from visfeat.views import whole_rows

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore
    from visfeat.store.writer import StoreWriter


@dataclass
class Site:
    """Where an order is carried out: the store, what it knows, and what the run finds."""

    store: FeatureStore
    known: Mapping[str, KnownItem]
    shots: StoredShots | None
    found: dict[str, str]
    """URI -> content hash of what this run read."""


class Order(Protocol):
    """One recipe of a run."""

    @property
    def recipe(self) -> Recipe:
        """With every field filled in."""

    @property
    def needs_shots(self) -> bool:
        """Whether it has to know where videos are cut."""

    def outcomes(self, site: Site) -> dict[str, Status]:
        """How far each content came, by content hash."""

    def lane(
        self, site: Site, outcomes: dict[str, Status], progress: Progress, settings: Settings
    ) -> AbstractContextManager[Lane]:
        """The lane; on leaving the context what was finished is committed."""

    def smaller(self, error: OutOfMemory, settings: Settings) -> Order:
        """The same with smaller batches; raises the error where there are none."""


class FeatureOrder:
    """The features of a recipe."""

    def __init__(self, wanted: Recipe, settings: Settings) -> None:
        """Prepare the network of ``wanted``, the recipe as the user wrote it. Raises as ``prepare`` does."""
        self._wanted = wanted
        self._prepared: Prepared = prepare(wanted, threads=settings.threads, report=settings.report)

    @property
    def recipe(self) -> Recipe:
        """With every field filled in."""
        return self._prepared.recipe

    @property
    def row_shapes(self) -> dict[str, tuple[int, ...]]:
        """Layer -> shape of one row."""
        return self._prepared.row_shapes

    @property
    def needs_shots(self) -> bool:
        """Where it takes frames by shot."""
        return self.recipe.frames_per_shot is not None

    def outcomes(self, site: Site) -> dict[str, Status]:
        """What the store holds for the recipe."""
        return site.store.outcomes(self.recipe.digest)

    @contextmanager
    def lane(self, site: Site, outcomes: dict[str, Status], progress: Progress, settings: Settings) -> Iterator[Lane]:
        """A lane with a writer of its own."""
        with writer_of(site.store, self._prepared, redo=settings.redo) as writer:
            before = {} if settings.redo else outcomes
            yield FeatureLane(self._prepared, writer, before, progress, found=site.found, shots=site.shots)

    def smaller(self, error: OutOfMemory, settings: Settings) -> FeatureOrder:
        """Half of the batch that did not fit, in whole rows of several views; a row that does not fit is an end."""
        multiple = self._wanted.crops or 1
        if error.batch_size <= multiple:
            raise error
        size = whole_rows(error.batch_size // 2, multiple)
        settings.report(f"{error}; starting its batches anew with {size} at a time")
        return FeatureOrder(self._wanted.but(batch_size=size), settings)


def writer_of(store: FeatureStore, prepared: Prepared, *, redo: bool = False) -> StoreWriter:
    """A writer of the rows that a prepared network makes; raises StoreError."""
    layers = [LayerShape(name, shape) for name, shape in prepared.row_shapes.items()]
    return store.writer(
        prepared.recipe, layers=layers, facts=prepared.facts, card_toml=prepared.card.to_toml(), redo=redo
    )


class ShotOrder:
    """The table of shots."""

    needs_shots = True

    def __init__(self) -> None:
        model = f"bundled/{SHOT_MODEL}"
        self.recipe = Recipe(name=SHOTS, model=model, every_frame=True, shots_digest=shots_digest())

    def outcomes(self, site: Site) -> dict[str, Status]:
        """What the table holds; an image that the store knows has no shots."""
        assert site.shots is not None
        images = {item.content_hash for item in site.known.values() if item.kind is Kind.IMAGE}
        return dict.fromkeys(site.shots.contents, Status.DONE) | dict.fromkeys(images, Status.IGNORED)

    @contextmanager
    def lane(self, site: Site, outcomes: dict[str, Status], progress: Progress, settings: Settings) -> Iterator[Lane]:
        """A lane that writes what it finds at once."""
        assert site.shots is not None
        yield ShotLane(site.shots, outcomes, progress, report=settings.report)

    def smaller(self, error: OutOfMemory, settings: Settings) -> Order:  # noqa: ARG002 (the protocol's)
        """Its batches are of one."""
        raise error
