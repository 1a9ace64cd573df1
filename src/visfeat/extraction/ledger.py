"""Ledger: who is extracting which content, how many of its rows are out, and what came of it.

Two files of equal content share one extraction: the first claims it, the others wait for its outcome.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from visfeat.frames import StreamInfo
from visfeat.media.item import Kind, MediaItem
from visfeat.store.records import ItemRecord, Status


@dataclass(frozen=True, slots=True)
class Finished:
    """An item whose outcome is known; all its rows were handed over before.

    ``num_rows``: its positions. ``is_new``: this run extracted it or tried to; False where its content was in the
    store already. ``is_copy``: its rows are another item's, whose content is the same.
    """

    record: ItemRecord
    num_rows: int
    is_new: bool = True
    is_copy: bool = False


@dataclass(slots=True)
class Job:
    """One content under extraction."""

    item: MediaItem
    info: StreamInfo | None = None
    emitted: int = 0
    delivered: int = 0
    decoded: bool = False
    problem: str | None = None
    failure: str | None = None
    copies: list[MediaItem] = field(default_factory=list)

    def outcome(self) -> tuple[Status, str | None]:
        """Status and reason, once everything was delivered."""
        if self.failure is not None:
            return Status.FAILED, self.failure
        return (Status.DONE, None) if self.problem is None else (Status.PARTIAL, self.problem)


class Ledger:
    """Keeps the jobs of a run; its methods may be called from any thread."""

    def __init__(self, outcomes: Mapping[str, Status], finish: Callable[[Finished], None]) -> None:
        """``outcomes``: what the store holds for this recipe, by content hash; ``finish`` is told each outcome."""
        self._before = outcomes
        self._jobs: dict[str, Job] = {}
        self._finish = finish
        self._lock = threading.Lock()

    def known(self, content_hash: str) -> Status | None:
        """The outcome that the store already holds for a content; a failed one is tried again and counts as None."""
        status = self._before.get(content_hash)
        return None if status is Status.FAILED else status

    def claim(self, item: MediaItem) -> Job | None:
        """The job for an item's content, or None where another item's job stands for it, now or already."""
        with self._lock:
            job = self._jobs.get(item.content_hash)
            if job is None:
                job = self._jobs[item.content_hash] = Job(item)
                return job
            if not self._is_over(job):
                job.copies.append(item)
                return None
        self._tell(job, item)
        return None

    def emitted(self, job: Job) -> int:
        """Count one more row on its way; returns its position."""
        with self._lock:
            job.emitted += 1
            return job.emitted - 1

    def delivered(self, job: Job, rows: int) -> None:
        """Count rows that were handed over; the last one finishes the job."""
        with self._lock:
            job.delivered += rows
            if not self._is_over(job):
                return
        self._tell_all(job)

    def decoded(self, job: Job, problem: str | None = None) -> None:
        """Nothing more will be emitted; ``problem`` says what could not be decoded."""
        with self._lock:
            job.decoded = True
            job.problem = problem
            if job.emitted == 0 and job.failure is None:
                job.failure = problem or "no frame to extract"
            if not self._is_over(job):
                return
        self._tell_all(job)

    def failed(self, job: Job, reason: str) -> None:
        """The job cannot succeed; what it emitted is not counted."""
        with self._lock:
            if job.failure is None:
                job.failure = reason

    @staticmethod
    def _is_over(job: Job) -> bool:
        return job.decoded and job.delivered == job.emitted

    def _tell_all(self, job: Job) -> None:
        for item in (job.item, *job.copies):
            self._tell(job, item)

    def _tell(self, job: Job, item: MediaItem) -> None:
        status, reason = job.outcome()
        # An animation that was read as a video is one, whatever its format.
        item = replace(item, kind=job.item.kind or Kind.IMAGE)
        rows = 0 if status is Status.FAILED else job.emitted
        is_copy = item.uri != job.item.uri
        self._finish(Finished(ItemRecord(item, job.info, status, reason), rows, is_copy=is_copy))
