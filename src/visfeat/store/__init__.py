"""The feature store: items, recipes, outcomes and features in one folder, and its exports.

``feature_store`` holds the store itself, ``writer`` what an extraction writes with, ``records`` the types of
both. Only ``tables`` imports Lance; only ``schemas`` knows the columns. The two names below are imported when they
are first used: whoever needs the types alone does not wait for Lance.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore, open_store

__all__ = ["FeatureStore", "open_store"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'visfeat.store' has no attribute {name!r}")
    return getattr(importlib.import_module("visfeat.store.feature_store"), name)
