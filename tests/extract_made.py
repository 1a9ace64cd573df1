"""A small network behind our own protocol, and pipelines that run it into a store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from visfeat.card import InputSpec, LayerSpec, ModelCard
from visfeat.decode.decoder import DecodeOptions
from visfeat.engine.prepare import Prepared
from visfeat.errors import EngineError
from visfeat.extraction.feature_lane import FeatureLane
from visfeat.extraction.pipeline import Pipeline
from visfeat.extraction.plan import plan
from visfeat.extraction.progress import Progress
from visfeat.extraction.work import Task
from visfeat.media.find import find_media
from visfeat.recipe import Recipe
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import LayerShape

SPEC = InputSpec(size_px=(8, 8), resize_px=8, mean=(0, 0, 0), std=(1, 1, 1))
LAYER = LayerSpec(name="mean", kind="vector", shape=(3,))
CARD = ModelCard(name="fake/mean", weights_digest="0", input=SPEC, layers=(LAYER,), default_layer="mean")
RECIPE = Recipe(model="fake/mean", weights_digest="0", layers=("mean",), pool=("none",), normalize=False, engine="fake")


class MeanColor:
    """A network whose only layer is the mean color of the picture, and which counts its batches.

    ``spoil`` may change the values of a batch; ``breaks_after`` batches it raises EngineError.
    """

    layers = (LAYER,)
    facts: dict[str, str] = {"engine": "fake", "precision": "f32", "device": "cpu"}

    def __init__(
        self,
        batch_size: int = 4,
        *,
        spoil: Callable[[np.ndarray], None] = lambda _: None,
        breaks_after: int | None = None,
        on_batch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.batch_size = batch_size
        self.batches = 0
        self._spoil = spoil
        self._breaks_after = breaks_after
        self._on_batch = on_batch

    def stream(self, batches: Iterable) -> Iterator:
        for tag, pixels in batches:
            assert pixels.shape[0] == self.batch_size
            assert pixels.shape[2:] == (8, 8, 3)
            if self.batches == self._breaks_after:
                raise EngineError("the fake network breaks here")
            self.batches += 1
            self._on_batch(self.batches)
            values = pixels.mean(axis=(1, 2, 3), dtype=np.float64).astype(np.float32)
            self._spoil(values)
            yield tag, {"mean": values}


def run_pipeline(
    folder: Path, store_path: Path, network: MeanColor, *, recipe: Recipe = RECIPE, workers: int = 2
) -> tuple[FeatureStore, Progress, bool]:
    """Extract a folder's media with a fake network, as ``extract`` does with a real one."""
    (found,) = run_lanes(folder, store_path, [(network, recipe)], workers=workers)
    return found


def run_lanes(
    folder: Path, store_path: Path, networks: Sequence[tuple[MeanColor, Recipe]], *, workers: int = 2
) -> list[tuple[FeatureStore, Progress, bool]]:
    """Extract a folder's media with several fake networks in one pass; raises the first error of a lane."""
    store = FeatureStore.create_or_open(store_path)
    items = list(find_media([folder]))
    lanes, todo = [], []
    with ExitStack() as stack:
        for network, recipe in networks:
            outcomes = store.outcomes(recipe.digest)
            planned = plan(items, store.known_items(), outcomes)
            prepared = Prepared(recipe, CARD, network, dict(network.facts))
            layers = [LayerShape(name, shape) for name, shape in prepared.row_shapes.items()]
            writer = stack.enter_context(store.writer(recipe, layers=layers, facts=network.facts, card_toml=""))
            lanes.append(FeatureLane(prepared, writer, outcomes, Progress.starting(planned, time.monotonic())))
            todo.append({item.uri for item in planned.todo})
        tasks = [
            Task(item, [lane for lane, uris in zip(lanes, todo, strict=True) if item.uri in uris]) for item in items
        ]
        completed = Pipeline(lanes, options=DecodeOptions(), workers=workers).run(tasks)
    for lane in lanes:
        if lane.error is not None:
            raise lane.error
    return [(store, lane.progress, completed) for lane in lanes]
