"""StoreWriter: what an extraction writes with.

One commit writes the rows first, then the outcomes of contents, then the items. A row counts only where the
outcome of its content says so: a process that is killed at any moment leaves rows that do not count yet, and the
next run merges into them without a duplicate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import RLock
from types import TracebackType
from typing import Self

import pyarrow as pa

from visfeat.errors import StoreError
from visfeat.store.pending import PendingOutcomes, PendingRows
from visfeat.store.records import ItemRecord, LayerShape, Rows, Status
from visfeat.store.tables import Table

COMMIT_ROWS = 4000
COMMIT_BYTES = 128 * 2**20
COMMIT_SECONDS = 10.0

_REST_PER_WORK = 9
"""Seconds between commits for each second that one takes: large tables take longer, and are committed less often."""

_COMMITS_A_COMPACTION = 100


class StoreWriter:
    """Takes rows and outcomes of one recipe from any thread and commits them now and then.

    It commits when 4,000 rows or items have come together and commits take no more than a tenth of the time, or when
    128 MB or 10 seconds have, and when it is closed. After an error of the store it refuses everything: what follows
    would count without what was lost.
    """

    def __init__(
        self,
        recipe_digest: str,
        layers: Mapping[LayerShape, Table],
        *,
        extractions: Table,
        media: Table,
        forget: Callable[[set[str]], None] | None = None,
    ) -> None:
        """``forget``: what drops the earlier features of contents, to do them again; None keeps what is there."""
        self.committed_rows = 0
        """Rows handed to the store so far, of all layers."""
        self.committed_items = 0
        """Items whose outcome is stored."""
        self._tables = {layer.layer: table for layer, table in layers.items()}
        self._rows = {layer.layer: PendingRows(layer, table.schema) for layer, table in layers.items()}
        self._outcomes = PendingOutcomes(recipe_digest)
        self._extractions, self._media = extractions, media
        self._forget = forget
        self._forgotten: set[str] = set()
        self._pending_bytes = 0
        self._last_commit_s = time.monotonic()
        self._commit_took_s = 0.0
        self._commits = 0
        self._lock = RLock()  # guards what is pending
        self._commit_lock = RLock()  # one commit at a time, in the order in which they were taken
        self._failure: BaseException | None = None

    def add(self, rows: Rows) -> None:
        """Take rows (copied) of a layer; raises StoreError for an unknown layer, a wrong shape or values not finite."""
        if rows.layer not in self._rows:
            raise StoreError(f"this recipe has no layer {rows.layer!r}; it has {', '.join(self._rows)}")
        with self._lock:
            self._refuse_after_failure()
            self._pending_bytes += self._rows[rows.layer].add(rows)
        self._commit_if_due()

    def finish(self, record: ItemRecord, num_rows: int) -> None:
        """Record how an item came out: now its rows count.

        ``num_rows`` is the number of its positions (the same in every layer; 0 for a failed one). Rows must have
        been added before. An item without content hash was not read, and only its own row is written.
        """
        readable = record.status in (Status.DONE, Status.PARTIAL)
        if readable and not record.item.content_hash:
            raise StoreError(f"{record.item.uri}: {record.status} needs a content hash")
        with self._lock:
            self._refuse_after_failure()
            if record.item.content_hash and record.status is not Status.IGNORED:
                self._outcomes.add_extraction(record, num_rows)
            self._outcomes.add_item(record)
        self._commit_if_due()

    def finish_content(self, content_hash: str, status: Status, num_rows: int, *, reason: str | None = None) -> None:
        """Record how a content came out whose items are in the store already, as they are."""
        with self._lock:
            self._refuse_after_failure()
            self._outcomes.add_content(content_hash, status, num_rows, reason)
        self._commit_if_due()

    def note(self, record: ItemRecord) -> None:
        """Record an item alone: a copy or moved file whose content is complete already, an ignored file."""
        with self._lock:
            self._refuse_after_failure()
            self._outcomes.add_item(record)
        self._commit_if_due()

    def _commit_if_due(self) -> None:
        if self._due():
            with self._commit_lock:
                if self._due():  # another thread may have committed while this one waited
                    self.commit()

    def _due(self) -> bool:
        with self._lock:
            rows = max((len(pending) for pending in self._rows.values()), default=0)
            enough = max(rows, len(self._outcomes)) >= COMMIT_ROWS
            waited_s = time.monotonic() - self._last_commit_s
            return (
                (enough and waited_s >= _REST_PER_WORK * self._commit_took_s)
                or self._pending_bytes >= COMMIT_BYTES
                or waited_s >= COMMIT_SECONDS
            )

    def commit(self) -> None:
        """Write what is pending; other threads may go on adding meanwhile. Raises StoreError."""
        with self._commit_lock:
            self._refuse_after_failure()
            started_s = time.monotonic()
            try:
                self._write(*self._take_pending())
            except BaseException as error:  # an interruption, too, loses what was pending
                self._failure = error
                raise
            self._last_commit_s = time.monotonic()
            self._commit_took_s = self._last_commit_s - started_s

    def _take_pending(self) -> tuple[dict[str, pa.Table], pa.Table, pa.Table]:
        """Rows by layer, outcomes of contents, and items, as of one moment."""
        with self._lock:
            rows = {layer: pending.take() for layer, pending in self._rows.items()}
            self._pending_bytes = 0
            return rows, *self._outcomes.take()

    def _write(self, rows: Mapping[str, pa.Table], extractions: pa.Table, media: pa.Table) -> None:
        self._forget_earlier(rows, extractions)
        for layer, table in rows.items():
            self._tables[layer].insert_missing(table)
            self.committed_rows += table.num_rows
        self._extractions.upsert(extractions)
        self._media.upsert(media)
        self.committed_items += media.num_rows
        self._commits += 1
        if self._commits % _COMMITS_A_COMPACTION == 0:
            self._compact()

    def _compact(self) -> None:
        for table in (*self._tables.values(), self._extractions, self._media):
            table.compact_if_scattered()

    def _forget_earlier(self, rows: Mapping[str, pa.Table], extractions: pa.Table) -> None:
        """Drop what an earlier run stored of the contents that come now for the first time in this one."""
        if self._forget is None:
            return
        columns = [table["content_hash"] for table in (*rows.values(), extractions)]
        new = {value for column in columns for value in column.unique().to_pylist()} - self._forgotten
        if new:
            self._forget(new)
            self._forgotten |= new

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise StoreError(f"nothing more is written after an error: {self._failure!r}") from self._failure

    def close(self) -> None:
        """Commit what is pending; nothing is left to do after an error or a second time."""
        if self._failure is None:
            self.commit()
            self._compact()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, also when interrupted: what is finished stays finished."""
        self.close()
