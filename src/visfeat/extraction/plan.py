"""Plan: what of the media is missing in the store for a recipe, told by size and modification time alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from visfeat.media.item import MediaItem
from visfeat.store.records import KnownItem, Status


@dataclass
class Plan:
    """Items to do, how many of the others are known with which status, and the contents that a redo forgets."""

    todo: list[MediaItem] = field(default_factory=list)
    known: dict[Status, int] = field(default_factory=dict)
    forget: set[str] = field(default_factory=set)

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
        if redo and before is not None and before.content_hash in outcomes:
            result.forget.add(before.content_hash)
    return result


def _status(before: KnownItem, outcomes: Mapping[str, Status]) -> Status | None:
    """The outcome that need not be found out again, None where it must."""
    if before.status is Status.IGNORED:
        return Status.IGNORED
    status = outcomes.get(before.content_hash)
    return None if status is Status.FAILED else status
