"""Making the map of a space, or placing what came since on the one that the store keeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from visfeat.errors import UsageError
from visfeat.maps.pacmap import pacmap, place
from visfeat.pca import MOST_WIDE, Projection, principal, principal_of
from visfeat.store.feature_store import FeatureStore
from visfeat.store.maps import MapTable, StoredMap, map_key
from visfeat.store.reading import SpaceReader
from visfeat.store.unit_rows import check_not_empty, drawn, unit_blocks, unit_rows

Method = Literal["pca", "pacmap"]
METHODS: tuple[Method, ...] = ("pca", "pacmap")
Points = NDArray[np.float32]

FITTED_POINTS = 20_000
"""What PaCMAP is fitted on at most; its neighbors are found by comparing all with all."""
_SAMPLED_ROWS = 4096
_PACMAP_DIMS = 100
_BLOCK = 4096


@dataclass(frozen=True)
class StoreMap:
    """A map: xy float32 ``(N, 2)``, a point for each row of the reader."""

    method: Method
    xy: Points
    reader: SpaceReader
    is_new: bool
    """Whether it was made now, or was in the store."""
    added: int
    """How many rows, copies not counted, were placed on a map that was there."""
    explained: tuple[float, ...]
    """Of PCA: the share of the variance that x and y have; empty for PaCMAP."""


@dataclass(frozen=True)
class _Contents:
    """The stored rows that count, copies once: their reader indices and keys, and which of them each row is."""

    indices: NDArray[np.int64]
    keys: pa.Array
    back: NDArray[np.int64]


def map_store(
    store: FeatureStore,
    *,
    method: Method = "pca",
    refit: bool = False,
    seed: int = 0,
    model: str | None = None,
    layer: str | None = None,
    recipe: str | None = None,
) -> StoreMap:
    """The map of one space; made and kept in the store where it has none, or on ``refit``.

    Rows that the map lacks are placed on it, the others stay where they are: by PCA through its own projection, by
    PaCMAP at the weighted mean of their ten nearest neighbors among those it was fitted on. ``model``, ``layer`` and
    ``recipe`` choose among several features, as in ``FeatureStore.features``. ``seed`` draws PaCMAP's pairs.

    Raises UsageError for a store without rows and an unknown method.
    """
    if method not in METHODS:
        raise UsageError(f"--method {method}: there are {' and '.join(METHODS)}")
    reader = store.reader(model, layer, recipe)
    check_not_empty(reader)
    contents = _contents(reader)
    table = MapTable.create_or_open(store.path)
    stored = reader.space.stored
    known = None if refit else table.find(map_key(method, stored.digest, reader.space.layer.layer))
    if known is None:
        made = _fit(method, reader, contents, seed)
        new = StoredMap(method, stored.digest, reader.space.layer.layer, seed, made.weights, _now())
        table.replace(new, contents.keys, made.xy, made.fitted)
        return StoreMap(method, made.xy[contents.back], reader, True, 0, _explained(method, made.weights))
    xy, missing = _placed(table, known, reader, contents)
    return StoreMap(method, xy[contents.back], reader, False, missing, _explained(method, known.weights))


@dataclass(frozen=True)
class _Made:
    """A new map: weights to keep, points float32 ``(n, 2)``, and which of them it was fitted on."""

    weights: dict[str, NDArray[np.float32]]
    xy: Points
    fitted: NDArray[np.bool_]


def _fit(method: Method, reader: SpaceReader, contents: _Contents, seed: int) -> _Made:
    if method == "pca":
        projection = _components(reader, contents, 2, seed)
        weights = _weights(projection)
        xy = _projected(projection, reader, contents.indices)
        return _Made(weights, _two(xy), np.ones(len(xy), bool))
    projection = _components(reader, contents, _PACMAP_DIMS, seed)
    chosen = drawn(len(contents.indices), FITTED_POINTS, seed)
    placed = _projected(projection, reader, contents.indices[chosen])
    xy = np.empty((len(contents.indices), 2), np.float32)
    xy[chosen] = pacmap(placed, seed)
    fitted = np.zeros(len(xy), bool)
    fitted[chosen] = True
    rest = np.flatnonzero(~fitted)
    for start in range(0, len(rest), _BLOCK):
        part = rest[start : start + _BLOCK]
        xy[part] = place(_projected(projection, reader, contents.indices[part]), placed, xy[chosen])
    return _Made(_weights(projection), xy, fitted)


def _placed(table: MapTable, known: StoredMap, reader: SpaceReader, contents: _Contents) -> tuple[Points, int]:
    """The points of all contents, and how many of them were missing and are in the store now."""
    points = table.points(known.key)
    at = pc.fill_null(pc.index_in(contents.keys, value_set=points["row_key"].combine_chunks()), -1).to_numpy()
    stored = np.stack([points["x"].to_numpy(), points["y"].to_numpy()], axis=1)
    xy = np.zeros((len(contents.indices), 2), np.float32)
    xy[at >= 0] = stored[at[at >= 0]]
    missing = np.flatnonzero(at < 0)
    if len(missing) == 0:
        return xy, 0
    projection = _projection(known.weights)
    if known.method == "pca":
        xy[missing] = _two(_projected(projection, reader, contents.indices[missing]))
    else:
        anchors = np.flatnonzero((at >= 0) & points["fitted"].to_numpy(zero_copy_only=False)[at])
        if len(anchors) == 0:
            raise UsageError(
                "none of the rows that the map was made of is in the store any more; --refit makes it anew"
            )
        values = _projected(projection, reader, contents.indices[anchors])
        for start in range(0, len(missing), _BLOCK):
            part = missing[start : start + _BLOCK]
            xy[part] = place(_projected(projection, reader, contents.indices[part]), values, xy[anchors])
    table.add(known.key, contents.keys.take(pa.array(missing)), xy[missing], np.zeros(len(missing), bool))
    return xy, len(missing)


def _components(reader: SpaceReader, contents: _Contents, dims: int, seed: int) -> Projection:
    """Principal components of all contents, each once; of very wide vectors those of a sample."""
    width = int(np.prod(reader.space.layer.shape))
    if width > MOST_WIDE or len(contents.indices) <= min(width, _SAMPLED_ROWS):
        return principal_of(
            unit_rows(reader, contents.indices[drawn(len(contents.indices), _SAMPLED_ROWS, seed)]), dims
        )
    counts = np.zeros(len(reader), bool)
    counts[contents.indices] = True
    return principal((block[counts[indices]] for indices, block in unit_blocks(reader)), width, dims)


def _projected(projection: Projection, reader: SpaceReader, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Coordinates float32 ``(n, P)`` of some rows, in flat memory beside them."""
    parts = [projection(unit_rows(reader, indices[start : start + _BLOCK])) for start in range(0, len(indices), _BLOCK)]
    return np.concatenate([np.empty((0, len(projection.components)), np.float32), *parts])


def _two(xy: NDArray[np.float32]) -> Points:
    """Two columns, where vectors of one value, or a single row, have but one."""
    return np.pad(xy, ((0, 0), (0, 2 - xy.shape[1])))


def _weights(projection: Projection) -> dict[str, NDArray[np.float32]]:
    return {
        "mean": projection.mean,
        "components": projection.components,
        "explained": projection.explained.astype(np.float32),
    }


def _projection(weights: dict[str, NDArray[np.float32]]) -> Projection:
    return Projection(weights["mean"], weights["components"], weights["explained"].astype(np.float64))


def _explained(method: Method, weights: dict[str, NDArray[np.float32]]) -> tuple[float, ...]:
    return tuple(weights["explained"].tolist()) if method == "pca" else ()


def _contents(reader: SpaceReader) -> _Contents:
    offsets, indices, back = np.unique(reader.join.offset, return_index=True, return_inverse=True)
    keys = pa.chunked_array([batch["key"] for batch in reader.table.scan(["key"])], pa.string()).combine_chunks()
    return _Contents(indices.astype(np.int64), keys.take(pa.array(offsets)), back)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
