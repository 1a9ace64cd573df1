"""The tables of maps in a store: where each row of a space lies on a picture of all of them.

A map goes by its method, recipe and layer. Points go by the key of their row (content and position), so that copies
and moved files share them, and rows that came later can be placed beside those that are there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import safetensors.numpy
from numpy.typing import NDArray

from visfeat.errors import StoreError
from visfeat.store import layout
from visfeat.store.schemas import key_field
from visfeat.store.tables import Table, text

MAPS, MAP_POINTS = "maps", "map_points"
MAPS_SCHEMA = pa.schema(
    [
        key_field("key"),
        ("method", pa.string()),
        ("recipe_digest", pa.string()),
        ("layer", pa.string()),
        ("seed", pa.int64()),
        ("weights", pa.binary()),
        ("created_at", pa.string()),
    ]
)
"""One row a map; ``weights`` is a safetensors file of what places further rows."""
MAP_POINTS_SCHEMA = pa.schema(
    [
        key_field("key"),
        ("map_key", pa.string()),
        ("row_key", pa.string()),
        ("x", pa.float32()),
        ("y", pa.float32()),
        ("fitted", pa.bool_()),
    ]
)
"""One row a point; ``fitted``: whether the map was made of it, or it was placed later."""


@dataclass(frozen=True)
class StoredMap:
    """A map without its points; ``weights``: name -> array, what its method keeps to place further rows."""

    method: str
    recipe_digest: str
    layer: str
    seed: int
    weights: dict[str, NDArray[Any]]
    created_at: str

    @property
    def key(self) -> str:
        """What it goes by."""
        return map_key(self.method, self.recipe_digest, self.layer)


def map_key(method: str, recipe_digest: str, layer: str) -> str:
    """What a map goes by in a store."""
    return f"{method}:{recipe_digest}:{layer}"


class MapTable:
    """The maps that a store keeps."""

    def __init__(self, maps: Table, points: Table) -> None:
        """Use ``create_or_open``."""
        self._maps, self._points = maps, points

    @classmethod
    def create_or_open(cls, store: str | Path) -> Self:
        """The tables of a store; they are made where they are missing. Raises StoreError for any other folder."""
        folder = Path(store).expanduser().absolute()
        layout.check(folder)
        maps = Table.create_or_open(folder, MAPS, MAPS_SCHEMA)
        return cls(maps, Table.create_or_open(folder, MAP_POINTS, MAP_POINTS_SCHEMA))

    def find(self, key: str) -> StoredMap | None:
        """The map of that key, None where there is none. Raises StoreError where it is damaged."""
        rows = self._maps.read(MAPS_SCHEMA.names, where=f"key = {text(key)}").to_pylist()
        if not rows:
            return None
        (row,) = rows
        try:
            weights = safetensors.numpy.load(row["weights"])
        except safetensors.SafetensorError as error:
            raise StoreError(f"map {key}: its weights are damaged ({error}); --refit makes it anew") from None
        return StoredMap(row["method"], row["recipe_digest"], row["layer"], row["seed"], weights, row["created_at"])

    def replace(
        self, new: StoredMap, row_keys: pa.Array, points: NDArray[np.float32], fitted: NDArray[np.bool_]
    ) -> None:
        """Keep a map and its points float32 ``(n, 2)`` in place of what there was under its key."""
        # The map goes first and comes last: a kill in between leaves none, never a map with points of another.
        self._maps.delete_where_in("key", [new.key])
        self._points.delete_where_in("map_key", [new.key])
        self.add(new.key, row_keys, points, fitted)
        row = {
            "key": new.key,
            "method": new.method,
            "recipe_digest": new.recipe_digest,
            "layer": new.layer,
            "seed": new.seed,
            "weights": safetensors.numpy.save({name: np.ascontiguousarray(one) for name, one in new.weights.items()}),
            "created_at": new.created_at,
        }
        self._maps.upsert(pa.Table.from_pylist([row], schema=MAPS_SCHEMA))

    def add(self, key: str, row_keys: pa.Array, points: NDArray[np.float32], fitted: NDArray[np.bool_]) -> None:
        """Add points float32 ``(n, 2)`` to a map; those that it has stay where they are."""
        keys = pa.array([f"{key}|{row}" for row in row_keys.to_pylist()], pa.string())
        columns = [
            keys,
            pa.array([key] * len(row_keys), pa.string()),
            row_keys.cast(pa.string()),
            pa.array(points[:, 0], pa.float32()),
            pa.array(points[:, 1], pa.float32()),
            pa.array(fitted, pa.bool_()),
        ]
        self._points.insert_missing(pa.Table.from_arrays(columns, schema=MAP_POINTS_SCHEMA))

    def points(self, key: str) -> pa.Table:
        """row_key, x, y and fitted of all points of a map."""
        return self._points.read(["row_key", "x", "y", "fitted"], where=f"map_key = {text(key)}")
