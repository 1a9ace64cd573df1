"""Rows of a store by what they show: the row of an image or of a moment of a video, and its nearest neighbors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError, nearest_names
from visfeat.frames import NO_TIME
from visfeat.media.item import uri_of
from visfeat.search.exact import cosines, largest

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore
    from visfeat.store.reading import SpaceReader


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A row near the query: an image, or the frame of a video on display during ``[start_s, end_s)``.

    start_s, end_s: seconds, None for an image; score: cosine, 1 for equal directions.
    """

    uri: str
    start_s: float | None
    end_s: float | None
    score: float


def neighbors(
    store: FeatureStore,
    uri: str,
    *,
    at_s: float | None = None,
    k: int = 10,
    other_items: bool = False,
    model: str | None = None,
    layer: str | None = None,
    recipe: str | None = None,
) -> list[Neighbor]:
    """The k rows of a store nearest to an image of it, or to the row of a video that is on display at ``at_s``.

    The query row itself is left out; copies of the file, and other moments of the same video, are not.
    ``other_items`` asks for the best row of each other item instead. ``model``, ``layer`` and ``recipe`` choose among
    several features, as in ``FeatureStore.features``. Runs in flat memory. Raises UsageError for a file that is not
    in the store, a video without a moment, a moment outside of it, and an image with one.
    """
    reader = store.reader(model, layer, recipe)
    query = find_row(reader, uri, at_s)
    scores = _scores(reader, query)
    scores[query] = -np.inf
    if other_items:
        _keep_best_of_others(scores, reader.join.item, query)
    found, cosine = largest(scores, k)
    found = found[np.isfinite(cosine)]
    described = reader.metadata_at(found).to_pylist()
    return [
        Neighbor(row["uri"], row["start_s"], row["end_s"], float(score))
        for row, score in zip(described, cosine, strict=False)
    ]


def _scores(reader: SpaceReader, query: int) -> NDArray[np.float32]:
    """The cosine of every row with the row ``query``; computed once a stored row, copies get it too."""
    direction = reader.rows(query, query + 1)[0][0]
    blocks = [cosines(stored, direction) for _, stored in reader.stored_values()]
    return np.concatenate(blocks)[reader.join.offset]


def _keep_best_of_others(scores: NDArray[np.float32], item: NDArray[np.int32], query: int) -> None:
    """Set all scores to minus infinity but the best of each item, and all of the query's own."""
    best_last = np.lexsort((-np.arange(len(scores)), scores, item))
    is_best = np.zeros(len(scores), bool)
    is_best[best_last[np.flatnonzero(np.diff(item[best_last], append=-1))]] = True
    scores[~is_best | (item == item[query])] = -np.inf


def find_row(reader: SpaceReader, uri: str, at_s: float | None = None) -> int:
    """The index of an image's row, or of the row of a video on display at ``at_s``: the last that starts by then.

    A video whose rows were pooled to one needs no moment. ``uri`` may be a relative path. Raises UsageError as
    ``neighbors`` does.
    """
    rows = rows_of(reader, uri)
    table = reader.metadata_at(rows)
    starts, ends = (table[name].fill_null(NO_TIME).to_numpy() for name in ("start_s", "end_s"))
    if np.isnan(starts).all():
        if at_s is not None:
            raise UsageError(f"{uri}: an image has no moment at {at_s:g} s")
        return int(rows[0])
    # A row stands for the time up to the next one; how long the last one does, the others tell.
    step = np.diff(starts).max() if len(starts) > 1 else float(reader.space.stored.recipe.interval_s)
    stop = max(ends.max(), starts.max() + step)
    if at_s is None:
        if len(rows) == 1 and reader.space.stored.recipe.temporal is not None:
            return int(rows[0])  # its rows were pooled to one, which stands for all of it
        raise UsageError(f"{uri}: a video; say which moment of it, from {starts.min():g} to {stop:g} s")
    before = rows[starts <= at_s]
    if at_s >= stop or len(before) == 0:
        raise UsageError(f"{uri}: has no row at {at_s:g} s; its rows go from {starts.min():g} to {stop:g} s")
    return int(before[-1])


def rows_of(reader: SpaceReader, uri: str) -> NDArray[np.int64]:
    """The indices of an item's rows, at least one.

    ``uri`` may be a relative path, or the end of a path that only one item has (``cats/1.jpg``). Raises UsageError.
    """
    known = reader.join.uris
    for name in (uri, uri_of(uri)):
        if len(rows := _rows_named(reader, name)):
            return rows
    ending = [one for one in known if one.endswith(f"/{uri}")]
    if len(ending) == 1 and len(rows := _rows_named(reader, ending[0])):
        return rows
    if len(ending) > 1:
        raise UsageError(f"{uri}: {len(ending)} items of the store end so; say more of the path, as in {ending[0]}")
    hint = nearest_names(uri, known, most=3) if len(known) < 10_000 else ""
    raise UsageError(f"{uri}: the store has no features of it{hint}")


def _rows_named(reader: SpaceReader, uri: str) -> NDArray[np.int64]:
    """The indices of the rows of the item of that very URI; none where there is no such item."""
    known = reader.join.uris
    return np.flatnonzero(reader.join.item == known.index(uri)) if uri in known else np.empty(0, np.int64)
