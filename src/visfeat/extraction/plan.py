"""Plan: what of the media is missing in the store for a recipe, told by size and modification time alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from visfeat.media.item import MediaItem, path_of
from visfeat.store.records import KnownItem, Status


@dataclass
class Plan:
    """Items to do, and how many of the others are known with which status."""

    todo: list[MediaItem] = field(default_factory=list)
    known: dict[Status, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All items."""
        return len(self.todo) + sum(self.known.values())


def plan(
    items: Iterable[MediaItem], known: Mapping[str, KnownItem], outcomes: Mapping[str, Status], *, redo: bool = False
) -> Plan:
    """Sort items into those to do and those whose outcome the store knows.

    ``known``: uri -> what the store knows of the file; ``outcomes``: content hash -> outcome for the recipe.
    An item is known where its size and modification time are the store's and its content is done or partial for this
    recipe, or was ignored. What failed is tried again. With ``redo`` only what was ignored stays known.
    """
    result = Plan()
    for item in items:
        before = known.get(item.uri)
        same = before is not None and (before.size_bytes, before.mtime_ns) == (item.size_bytes, item.mtime_ns)
        status = _status(before, outcomes) if before is not None and same else None
        if status is None or (redo and status is not Status.IGNORED):
            result.todo.append(item)
        else:
            result.known[status] = result.known.get(status, 0) + 1
    return result


def moved_away(known: Mapping[str, KnownItem], found: Mapping[str, str]) -> list[str]:
    """URIs of local files that are gone and whose content turned up under a new one: they are the same items.

    ``found``: URI -> content hash of what this run read. A file that is gone with its content stays known.
    """
    new = {content_hash for uri, content_hash in found.items() if uri not in known}
    return [
        uri
        for uri, item in known.items()
        if item.content_hash in new and uri not in found and not os.path.lexists(path_of(uri))
    ]


def _status(before: KnownItem, outcomes: Mapping[str, Status]) -> Status | None:
    """The outcome that need not be found out again, None where it must."""
    if before.status is Status.IGNORED:
        return Status.IGNORED
    status = outcomes.get(before.content_hash)
    return None if status is Status.FAILED else status
