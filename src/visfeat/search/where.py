"""Which items are searched: a condition over the columns of a store's items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from visfeat.errors import UsageError

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore


def matching_uris(store: FeatureStore, where: str) -> set[str]:
    """The URIs of the items that meet a condition such as ``kind = 'video' and duration_s > 60``.

    It is SQL over the columns of ``FeatureStore.items``: comparisons, ``and``, ``or``, ``not``, ``in (...)``, ``like
    '%cat%'``, ``between``, ``is null``. An item that lacks a value meets no comparison with it. Raises UsageError that
    lists the columns where the condition cannot be followed.
    """
    from visfeat.store.schemas import MEDIA_SCHEMA

    try:
        return set(store.items_where(where)["uri"].to_pylist())
    except UsageError as error:
        reason = str(error).partition(" Valid fields are")[0].rstrip(".?")
        columns = ", ".join(MEDIA_SCHEMA.names)
        raise UsageError(f"--where {where!r}: {reason}; the columns are {columns}, and texts stand in '...'") from None
