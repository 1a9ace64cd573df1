"""The feature store: items, recipes, outcomes and features in one folder, and its exports.

``feature_store`` holds the store itself, ``writer`` what an extraction writes with, ``records`` the types of
both. Only ``tables`` imports Lance; only ``schemas`` knows the columns.
"""

from __future__ import annotations

from visfeat.store.feature_store import FeatureStore, open_store
from visfeat.store.records import ItemRecord, KnownItem, LayerShape, Rows, Status, StoredRecipe
from visfeat.store.writer import StoreWriter

__all__ = [
    "FeatureStore",
    "ItemRecord",
    "KnownItem",
    "LayerShape",
    "Rows",
    "Status",
    "StoreWriter",
    "StoredRecipe",
    "open_store",
]
