"""Progress: what the extraction of one recipe has done so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from visfeat.extraction.plan import Plan
from visfeat.store.records import Status

OUTCOMES = ("done", "partial", "failed", "unchanged", "ignored")


@dataclass
class Progress:
    """What a run has done so far; ``partial`` and ``failed`` include what earlier runs found.

    ``frames`` counts what went through the network, ``rows`` the vectors of finished items, copies counted once.
    """

    total: int = 0
    done: int = 0
    partial: int = 0
    failed: int = 0
    unchanged: int = 0
    ignored: int = 0
    rows: int = 0
    frames: int = 0
    started_at: float = field(default_factory=time.monotonic)
    title: str = ""
    """Of the recipe, for people."""

    @classmethod
    def starting(cls, planned: Plan, started_at: float, title: str = "") -> Progress:
        """Nothing done yet, but what the store knows already is counted."""
        progress = cls(total=planned.total, started_at=started_at, title=title)
        for status, number in planned.known.items():
            progress.count(status, number, is_new=False)
        return progress

    @property
    def finished(self) -> int:
        """Items whose outcome is known."""
        return sum(self.by_outcome.values())

    @property
    def by_outcome(self) -> dict[str, int]:
        """How many items came out how."""
        return {name: getattr(self, name) for name in OUTCOMES}

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started_at

    def count(self, status: Status, number: int = 1, *, is_new: bool) -> None:
        """Count the outcome of some items."""
        name = "unchanged" if status is Status.DONE and not is_new else status.value
        setattr(self, name, getattr(self, name) + number)
