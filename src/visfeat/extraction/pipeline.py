"""The pipeline: decoding threads -> entries -> the network's thread -> rows -> the writer's thread.

All are threads of one process with bounded queues between them: decoding, resizing and inference release the GIL.
Batches are filled across files and videos; the last one is padded.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visfeat.decode.decoder import DecodeOptions
from visfeat.engine.prepare import Prepared
from visfeat.extraction.channel import Aborted, Channel
from visfeat.extraction.ledger import Finished, Ledger
from visfeat.extraction.plan import Plan
from visfeat.extraction.vectors import BatchVectors, vectors_of
from visfeat.extraction.work import Entry, Worker
from visfeat.media.item import MediaItem
from visfeat.store.records import Rows, Status

if TYPE_CHECKING:
    from visfeat.store.writer import StoreWriter

POLL_S = 0.1
BATCHES_WAITING = 3
RESULTS_WAITING = 512
WRITER = "visfeat-store"


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

    @classmethod
    def starting(cls, planned: Plan, started_at: float) -> Progress:
        """Nothing done yet, but what the store knows already is counted."""
        progress = cls(total=planned.total, started_at=started_at)
        for status, number in planned.known.items():
            progress.count(status, number, is_new=False)
        return progress

    @property
    def finished(self) -> int:
        """Items whose outcome is known."""
        return self.done + self.partial + self.failed + self.unchanged + self.ignored

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started_at

    def count(self, status: Status, number: int = 1, *, is_new: bool) -> None:
        """Count the outcome of some items."""
        name = "unchanged" if status is Status.DONE and not is_new else status.value
        setattr(self, name, getattr(self, name) + number)


class Pipeline:
    """Runs items through a prepared network into a store's writer."""

    def __init__(
        self,
        prepared: Prepared,
        writer: StoreWriter,
        ledger_before: dict[str, Status],
        progress: Progress,
        *,
        options: DecodeOptions,
        workers: int,
        found: dict[str, str] | None = None,
    ) -> None:
        """``ledger_before``: outcomes in the store by content hash; ``workers``: how many decoding threads.

        ``found`` is filled with the content hash of each URI that was read.
        """
        self._found = {} if found is None else found
        self._prepared = prepared
        self._writer = writer
        self._progress = progress
        self._workers = workers
        self._entries: Channel[Entry] = Channel(prepared.network.batch_size * BATCHES_WAITING)
        self._results: Channel[Rows | Finished] = Channel(RESULTS_WAITING)
        self._ledger = Ledger(ledger_before, self._results.put)
        self._stopping = threading.Event()
        self._errors: list[BaseException] = []
        self._worker = Worker(
            prepared,
            options,
            self._ledger,
            emit=self._entries.put,
            finish=self._results.put,
            stopping=self._stopping,
        )

    def run(self, items: Sequence[MediaItem], on_progress: Callable[[Progress], None]) -> bool:
        """Do all items; returns False where an interrupt stopped it early, with what was finished committed.

        Raises EngineError (OutOfMemory among them) or StoreError after everything before it was committed.
        """
        completed = True
        threads = self._start(items)
        try:
            self._wait(threads, on_progress)
        except KeyboardInterrupt:
            completed = False
            self._stopping.set()
            try:
                self._wait(threads, on_progress)
            except KeyboardInterrupt:
                # The second one: do not wait for what is in flight.
                self._abort()
                self._wait(threads, on_progress)
        finally:
            self._abort()
        if self._errors:
            raise self._errors[0]
        return completed

    def _start(self, items: Sequence[MediaItem]) -> list[threading.Thread]:
        todo = _SharedIterator(iter(items))
        decoding = [self._thread(f"visfeat-decode-{n}", self._decode, todo) for n in range(self._workers)]
        closing = self._thread("visfeat-entries", self._close_after, decoding, self._entries)
        network = self._thread("visfeat-network", self._infer)
        # Workers finish items that need no network, so the results end when both are through.
        ending = self._thread("visfeat-results", self._close_after, [closing, network], self._results)
        writing = self._thread(WRITER, self._write)
        return [*decoding, closing, network, ending, writing]

    def _thread(self, name: str, target: Callable[..., None], *args: object) -> threading.Thread:
        """Start a thread whose first error stops the whole pipeline."""

        def guarded() -> None:
            try:
                target(*args)
            except Aborted:
                pass
            except BaseException as error:  # noqa: BLE001 (handed to the caller of run)
                self._errors.append(error)
                self._stopping.set()
                self._entries.abort()
                # What is finished already is still written, unless it is the writing that failed.
                if threading.current_thread().name == WRITER:
                    self._results.abort()

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        return thread

    def _wait(self, threads: list[threading.Thread], on_progress: Callable[[Progress], None]) -> None:
        for thread in threads:
            while thread.is_alive():
                thread.join(POLL_S)
                on_progress(self._progress)

    def _abort(self) -> None:
        self._stopping.set()
        self._entries.abort()
        self._results.abort()

    @staticmethod
    def _close_after(threads: list[threading.Thread], channel: Channel[Entry] | Channel[Rows | Finished]) -> None:
        for thread in threads:
            thread.join()
        channel.close()

    def _decode(self, todo: Iterator[MediaItem]) -> None:
        for item in todo:
            if self._stopping.is_set():
                return
            self._worker.work(item)

    def _infer(self) -> None:
        for entries, outputs in self._prepared.network.stream(self._batches()):
            vectors = vectors_of(outputs, self._prepared)
            for rows in rows_of(entries, vectors):
                self._results.put(rows)
            start = 0
            for _, group in groupby(entries, key=lambda entry: id(entry.job)):
                members = list(group)
                if not vectors.finite[start : start + len(members)].all():
                    self._ledger.failed(members[0].job, "its features are not finite (NaN or infinity)")
                start += len(members)
                self._ledger.delivered(members[0].job, len(members))

    def _batches(self) -> Iterator[tuple[list[Entry], NDArray[np.uint8]]]:
        """Full batches of entries, the last one padded with zeros."""
        size = self._prepared.network.batch_size
        rows = self._prepared.rows_per_batch
        waiting: list[Entry] = []
        for entry in self._entries:
            waiting.append(entry)
            if len(waiting) == rows:
                yield waiting, stacked(waiting, size)
                waiting = []
        if waiting:
            yield waiting, stacked(waiting, size)

    def _write(self) -> None:
        try:
            for result in self._results:
                self._take(result)
        finally:
            # Also where the network broke: what was finished before is kept.
            self._writer.commit()

    def _take(self, result: Rows | Finished) -> None:
        if isinstance(result, Rows):
            self._writer.add(result)
            if result.layer == self._prepared.layers[0].name:
                self._progress.frames += len(result)
        else:
            item = result.record.item
            if item.content_hash:
                self._found[item.uri] = item.content_hash
            if result.is_new:
                self._writer.finish(result.record, result.num_rows)
            else:
                self._writer.note(result.record)
            self._progress.count(result.record.status, is_new=result.is_new)
            if result.is_new and not result.is_copy:
                self._progress.rows += result.num_rows * len(self._prepared.layers)


def stacked(entries: Sequence[Entry], batch_size: int) -> NDArray[np.uint8]:
    """The entries' pixels, all views of each, as one batch uint8 ``(batch_size, T, height, width, 3)``, then zeros."""
    views, *shape = entries[0].input.pixels.shape
    batch = np.zeros((batch_size, *shape), dtype=np.uint8)
    for n, entry in enumerate(entries):
        batch[n * views : (n + 1) * views] = entry.input.pixels
    return batch


def rows_of(entries: Sequence[Entry], vectors: BatchVectors) -> Iterator[Rows]:
    """The rows of a batch: for each layer, one Rows for each run of entries of the same job.

    Samples of one job that lie side by side have consecutive positions. Rows that are not finite are left out
    with the rest of their run: their job has failed.
    """
    start = 0
    for _, group in groupby(entries, key=lambda entry: id(entry.job)):
        members = list(group)
        part = slice(start, start + len(members))
        start += len(members)
        if not vectors.finite[part].all():
            continue
        for layer, values in vectors.values.items():
            yield Rows(
                content_hash=members[0].job.item.content_hash,
                layer=layer,
                first_position=members[0].position,
                values=values[part],
                start_s=np.array([entry.input.start_s for entry in members]),
                end_s=np.array([entry.input.end_s for entry in members]),
                frame_index=np.stack([entry.input.frame_index for entry in members]),
                labels=vectors.labels[part],
            )


class _SharedIterator(Iterator[MediaItem]):
    """An iterator that several threads may advance."""

    def __init__(self, items: Iterator[MediaItem]) -> None:
        self._items = items
        self._lock = threading.Lock()

    def __next__(self) -> MediaItem:
        with self._lock:
            return next(self._items)
