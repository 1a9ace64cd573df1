"""Maps of what a store holds: every row a point, rows that are alike near each other; kept in the store."""

from __future__ import annotations

from visfeat.maps.run import METHODS, StoreMap, map_store

__all__ = ["METHODS", "StoreMap", "map_store"]
