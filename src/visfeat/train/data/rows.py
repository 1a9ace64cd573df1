"""Sequences of stored features: windows of the rows of each video, for networks that learn without labels."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visfeat.clips import clips
from visfeat.engine.prepare import MODEL_PATH
from visfeat.errors import UsageError, VisfeatError
from visfeat.models.registry import load_model, place_of
from visfeat.recipe import Recipe
from visfeat.store.feature_store import open_store
from visfeat.store.records import StoredRecipe
from visfeat.train.data.examples import Split
from visfeat.train.data.samples import Source
from visfeat.train.data.splits import Unit, split_units
from visfeat.train.settings import Settings

STEPS = 16


class RowPixels:
    """Sequences of a table of rows ``(R, D)``: sample n is the rows ``[first[n], first[n] + steps)``, float32."""

    def __init__(self, rows: NDArray[np.float32], first: NDArray[np.int64], steps: int) -> None:
        self.rows, self.first, self.steps = rows, first, steps

    def __len__(self) -> int:
        return len(self.first)

    def take(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Sequences ``(B, steps, D)``."""
        return np.asarray(self.rows[self.first[indices][:, None] + np.arange(self.steps)])


@dataclass(frozen=True)
class Sequences:
    """N sequences of the rows of F videos."""

    values: RowPixels
    source_of: NDArray[np.int64]
    sources: tuple[Source, ...]
    recipe: Recipe
    """Whose rows they are, at one layer."""
    rejected: tuple[tuple[str, str, str], ...]
    network: Path | None = None
    """Where the network of these rows lies, where that is a file or a trained run that can be found."""

    @property
    def features(self) -> int:
        """D of a row."""
        return int(self.values.rows.shape[1])

    def indices(self, split: Split) -> NDArray[np.int64]:
        """The sequences of a split, in order."""
        inside = np.array([source.split == split for source in self.sources])
        return np.flatnonzero(inside[self.source_of])

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the rows, the sequences and their splits."""
        digest = hashlib.sha256(np.ascontiguousarray(self.values.rows).tobytes())
        digest.update(self.values.first.tobytes())
        digest.update(" ".join(source.split for source in self.sources).encode())
        return digest.hexdigest()


def load_sequences(settings: Settings) -> Sequences:
    """Windows of ``clip`` rows, one every ``stride``, of each video of a store; videos are split, not windows.

    Raises UsageError where no recipe or several fit, where its rows are no vectors, or where no video is long enough.
    """
    if len(settings.data) != 1:
        raise UsageError("--model lstm_autoencoder: name one store")
    reader = open_store(Path(settings.data[0]).expanduser()).reader(layer=settings.layer, recipe=settings.recipe)
    if len(reader.space.layer.shape) != 1:
        raise UsageError(f"{settings.data[0]}: {reader.space} has maps or tokens for rows; pool them to vectors")
    steps = settings.clip or STEPS
    rows = reader.all_values()
    uris = np.array(reader.metadata()["uri"].to_pylist())
    names, starts, counts = np.unique(uris, return_index=True, return_counts=True)
    long = [n for n in range(len(names)) if counts[n] >= steps]
    if not long:
        raise UsageError(f"--clip {steps}: no video has so many rows; the longest has {counts.max(initial=0)}")
    stride = settings.stride or steps
    first = [
        [window[0] for window in clips(range(int(starts[n]), int(starts[n] + counts[n])), steps, stride=stride)]
        for n in long
    ]
    units = [Unit(_content(rows[starts[n] : starts[n] + counts[n]]), "", None) for n in long]
    splits = split_units(units, val=settings.val, test=settings.test, seed=settings.seed)
    sources = tuple(
        Source(str(names[n]), "", unit.key, split) for n, unit, split in zip(long, units, splits, strict=True)
    )
    short = sorted(set(range(len(names))) - set(long))
    rejected = tuple((str(names[n]), "", f"has {counts[n]} rows, fewer than --clip {steps}") for n in short)
    source_of = np.repeat(np.arange(len(long)), [len(one) for one in first])
    values = RowPixels(rows, np.array([start for one in first for start in one], np.int64), steps)
    stored, layer = reader.space.stored.recipe, reader.space.layer.layer
    recipe = stored.but(layers=(layer,), pool=_pool(stored, layer))
    return Sequences(values, source_of, sources, recipe, rejected, _network(reader.space.stored))


def _network(stored: StoredRecipe) -> Path | None:
    """The file or the run that made a store's rows, if it still has those weights, as the facts of its runs tell."""
    known = [facts[MODEL_PATH] for facts in (stored.facts, *stored.earlier_facts) if MODEL_PATH in facts]
    for place in (*known, stored.recipe.model):
        with suppress(VisfeatError):
            path = place_of(place)
            if path is not None and load_model(str(path)).card.weights_digest == stored.recipe.weights_digest:
                return path
    return None


def _content(rows: NDArray[np.float32]) -> str:
    """Names what a video shows, so that two copies stay in one split."""
    return hashlib.blake2b(rows.tobytes(), digest_size=16).hexdigest()


def _pool(recipe: Recipe, layer: str) -> object:
    """The pooling of one of the recipe's layers, as the pooling of a recipe of that layer alone."""
    if not isinstance(recipe.pool, tuple):
        return recipe.pool
    return (recipe.pool[(recipe.layers or ()).index(layer)],)
