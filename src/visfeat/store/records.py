"""What goes into a store and comes out of it: outcomes of items, rows of features, recipes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import StoreError
from visfeat.frames import Label, StreamInfo
from visfeat.media.item import Kind, MediaItem
from visfeat.recipe import Recipe


class Status(StrEnum):
    """How far an item came."""

    DONE = "done"
    PARTIAL = "partial"
    """Some of its frames could not be read; those before and after are there."""
    FAILED = "failed"
    IGNORED = "ignored"
    """Neither an image nor a video."""


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """One item as the last run that touched it left it; ``reason`` says why it is not done."""

    item: MediaItem
    info: StreamInfo | None
    status: Status
    reason: str | None = None


class KnownItem(NamedTuple):
    """What a store knows of a file, enough to tell whether it changed since."""

    size_bytes: int
    mtime_ns: int
    content_hash: str
    kind: Kind | None
    status: Status


@dataclass(frozen=True, slots=True)
class Rows:
    """Consecutive rows of one content at one layer; row n has the position ``first_position + n``.

    values: ``(N, ...)``; start_s, end_s: float64 ``(N,)`` in seconds, NaN for images; frame_index: int64 ``(N, T)``,
    the T frames that each row was computed from, -1 for images (``(N,)`` where T is 1). ``labels`` holds N tuples
    where the recipe asks for the network's own class names.
    """

    content_hash: str
    layer: str
    first_position: int
    values: NDArray[np.floating[Any]]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    frame_index: NDArray[np.int64]
    labels: tuple[tuple[Label, ...], ...] = field(default=())

    def __post_init__(self) -> None:
        """Check that every column has one entry a row."""
        for name in ("start_s", "end_s", "frame_index"):
            if len(getattr(self, name)) != len(self.values):
                raise StoreError(f"Rows.{name} must have {len(self.values)} rows; got {len(getattr(self, name))}")
        if self.labels and len(self.labels) != len(self.values):
            raise StoreError(f"Rows.labels must have {len(self.values)} rows; got {len(self.labels)}")

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class LayerShape:
    """A layer and the shape of one row after pooling: ``(D,)``, ``(C, H, W)`` or ``(T, C)``."""

    layer: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StoredRecipe:
    """A recipe as a store holds it, with what a reader needs to trust its numbers.

    ``facts`` are those of the last run (engine, precision, CPU features, versions); ``earlier_facts`` those of
    runs before it under other ones. ``created_at`` is ISO 8601 in UTC.
    """

    digest: str
    recipe: Recipe
    facts: Mapping[str, str]
    card_toml: str
    layers: tuple[LayerShape, ...]
    created_at: str
    earlier_facts: tuple[Mapping[str, str], ...] = ()

    @property
    def title(self) -> str:
        """The recipe's name, or its model where it has none."""
        return self.recipe.title

    def goes_by(self, text: str) -> bool:
        """Whether a text means this recipe: its name, its digest, or the digest's beginning."""
        return self.recipe.name == text or self.digest.startswith(text)
