"""The rows of a video over time: from a store that has them, else extracted now; and a query among them."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.open import open_decoder
from visfeat.errors import UnsupportedMedia, UsageError, naming
from visfeat.extraction.extractor import Extractor
from visfeat.media.item import Kind, MediaItem, uri_of
from visfeat.media.read import identify
from visfeat.plot.series import Floats, evenly, interval_for
from visfeat.recipe import SAMPLING_FIELDS, Recipe, recipe_of
from visfeat.store.feature_store import FeatureStore, open_store
from visfeat.store.records import Status
from visfeat.store.selection import Space, only

Choice = Recipe | str | os.PathLike[str] | None
"""A recipe, the file of one, or the name or digest (or its beginning) of one that the store has."""


@dataclass(frozen=True)
class VideoRows:
    """The rows of one layer of one recipe over the time of a video."""

    recipe: Recipe
    """With every field filled in."""
    layer: str
    values: NDArray[np.floating[Any]]
    """``(N, ...)``, in order of time."""
    start_s: Floats
    end_s: Floats
    total: int
    """How many rows there are, of which N were taken."""

    @property
    def title(self) -> str:
        """Model, layer and sampling in words."""
        sampled = f"clips of {self.recipe.clip} frames" if self.recipe.clip else self.recipe.sampling
        return f"{self.recipe.title}, {self.layer}, {sampled}"

    def vector_of(self, image: str | os.PathLike[str]) -> NDArray[np.floating[Any]]:
        """What this recipe gives for an image file; raises MediaError that names it."""
        found = Extractor(recipe=self.recipe)([image])
        vector: NDArray[np.floating[Any]] = (found[self.layer] if isinstance(found, dict) else found)[0]
        return vector


def identified(video: str | os.PathLike[str]) -> MediaItem:
    """The item of a video file, with its content hash; raises MediaError that names it."""
    with naming(video):
        item, _ = identify(MediaItem(uri_of(video), 0, 0))
        if item.kind is not Kind.VIDEO:
            raise UnsupportedMedia("not a video")
    return item


def rows_of(
    item: MediaItem, store: str | os.PathLike[str] | None, recipe: Choice, layer: str | None, most: int | None = None
) -> VideoRows:
    """The rows of a video, or at most ``most`` of them, evenly chosen.

    They come from the store where it has rows of this content, else they are extracted now.
    Raises UsageError where several recipes or layers fit, and for one that is in no store and no file.
    """
    found = None if store is None else stored_rows(open_store(Path(store)), item, recipe, layer, most)
    return found or _extracted(item, recipe, layer, most)


def stored_rows(
    store: FeatureStore, item: MediaItem, recipe: Choice, layer: str | None, most: int | None = None
) -> VideoRows | None:
    """The rows that a store has of this content, by whatever name; None where it has none that fit."""
    known = [Space(stored, shape) for stored in store.recipes() for shape in stored.layers]
    outcomes = {space.stored.digest: store.outcomes(space.stored.digest).get(item.content_hash) for space in known}
    complete = (Status.DONE, Status.PARTIAL)
    fitting = [
        space
        for space in known
        if outcomes[space.stored.digest] in complete
        and space.stored.recipe.temporal is None
        and (layer is None or space.layer.layer == layer)
        and _is_meant(space, recipe)
    ]
    if not fitting:
        return None
    space = only(fitting)
    items = store.items()
    names = set(items.filter(pc.equal(items["content_hash"], item.content_hash))["uri"].to_pylist())
    reader = store.read_space(space)
    uri = next((uri for uri in reader.join.uris if uri in names), None)
    if uri is None:
        return None
    indices = np.flatnonzero(reader.join.item == reader.join.uris.index(uri))
    chosen = indices[evenly(len(indices), most or len(indices))]
    values, table = reader.at(chosen)
    start_s, end_s = (table[name].to_numpy() for name in ("start_s", "end_s"))
    return VideoRows(space.stored.recipe, space.layer.layer, values, start_s, end_s, len(indices))


def _is_meant(space: Space, recipe: Choice) -> bool:
    if recipe is None:
        return True
    if isinstance(recipe, Recipe):
        return space.stored.digest == recipe.digest
    return space.stored.goes_by(os.fspath(recipe))


def _extracted(item: MediaItem, recipe: Choice, layer: str | None, most: int | None) -> VideoRows:
    """Rows made now; where nobody says how to sample, a short video is sampled more often than every second."""
    if recipe is not None and not isinstance(recipe, Recipe) and not os.path.isfile(recipe):
        raise UsageError(
            f"--recipe {os.fspath(recipe)}: no such file, and no recipe of that name or digest whose rows of this "
            "video are in the store"
        )
    extractor = Extractor(recipe=recipe_of(recipe, {"layers": None if layer is None else (layer,)}))
    sampling: dict[str, Any] = {}
    if extractor.recipe.clip is None and not any(getattr(extractor.recipe, field) for field in SAMPLING_FIELDS):
        sampling["every_s"] = _interval_s(item)
    found = extractor.video(item.path, **sampling)
    if isinstance(found, dict):
        raise UsageError(f"the recipe has several layers: choose one with --layer: {', '.join(found)}")
    kept = evenly(len(found), most or len(found))
    return VideoRows(
        recipe_of(extractor.recipe, sampling),
        found.layer,
        found.values[kept],
        found.start_s[kept],
        found.end_s[kept],
        len(found),
    )


def _interval_s(item: MediaItem) -> Fraction:
    """By the header's word on how long the video is."""
    with naming(item.path), closing(open_decoder(item, None, DecodeOptions())) as decoder:
        return interval_for(decoder.info.duration_s or 0.0)
