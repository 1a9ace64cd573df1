"""The lane of a recipe: entries -> the network's thread -> rows -> the writer's thread.

Batches are filled across files and videos; the last one is padded. Between the threads stand bounded queues.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from visfeat.decode.decoder import DecodeOptions, Decoder
from visfeat.engine.prepare import Prepared
from visfeat.extraction.batches import Entry, batches, by_job, rows_of
from visfeat.extraction.channel import Aborted, Channel
from visfeat.extraction.inputs import InputAssembler, NetworkInput
from visfeat.extraction.lane import Feed, SharedDecode
from visfeat.extraction.ledger import Finished, Job, Ledger
from visfeat.extraction.progress import Progress
from visfeat.extraction.vectors import vectors_of
from visfeat.frames import Frame, StreamInfo
from visfeat.media.item import Kind, MediaItem
from visfeat.sample import evenly_spaced
from visfeat.shots.ensure import StoredShots, times_in_shots
from visfeat.store.records import ItemRecord, Rows, Status

if TYPE_CHECKING:
    from visfeat.store.writer import StoreWriter

BATCHES_WAITING = 3
RESULTS_WAITING = 512
SHORT = "shorter than its last clip: frames are repeated"


class FeatureLane:
    """Runs the frames of items through a prepared network into a store's writer."""

    def __init__(
        self,
        prepared: Prepared,
        writer: StoreWriter,
        outcomes: dict[str, Status],
        progress: Progress,
        *,
        found: dict[str, str] | None = None,
        shots: StoredShots | None = None,
    ) -> None:
        """``outcomes``: what the store holds for this recipe, by content hash.

        ``found`` is filled with the content hash of each URI that was read. ``shots``: where the shots are known,
        needed for a recipe that takes frames by shot.
        """
        self.progress = progress
        self.error: BaseException | None = None
        self.recipe = prepared.recipe
        self.preprocess = prepared.preprocessor
        self.shots = shots
        self._prepared = prepared
        self._writer = writer
        self._found = {} if found is None else found
        self._entries: Channel[Entry] = Channel(prepared.rows_per_batch * BATCHES_WAITING)
        self._results: Channel[Rows | Finished] = Channel(RESULTS_WAITING)
        self._ledger = Ledger(outcomes, self._results.put)

    # Called by decoding threads.

    def options(self, item: MediaItem, base: DecodeOptions) -> DecodeOptions:
        """How the recipe wants an item decoded; what makes no difference to it is left out, so that more share it."""
        if item.kind is Kind.VIDEO:
            return replace(base, stream=self.recipe.stream)
        reducible_to_px = self.preprocess.reducible_to_px if item.format == "jpeg" else None
        return replace(base, reducible_to_px=reducible_to_px, animations=self.recipe.animations)

    def take(self, item: MediaItem, header: Callable[[], StreamInfo | None]) -> Feed | None:
        """What to feed with the item's frames; None where its content is known, or is another item's too."""
        known = self._ledger.known(item.content_hash)
        if known is not None:
            self._results.put(Finished(ItemRecord(item, header(), known), 0, is_new=False))
            return None
        job = self._ledger.claim(item)
        return None if job is None else FeatureFeed(self, job, self._ledger, self._entries.put)

    def refuse(self, item: MediaItem, status: Status, reason: str | None = None) -> None:
        """Record an item that needs no network."""
        self._results.put(Finished(ItemRecord(item, None, status, reason), 0))

    def breaks(self, error: BaseException) -> None:
        """Take nothing more; what is finished already is still written."""
        self.error = self.error or error
        self._entries.abort()

    # The lane's own threads.

    def start(self, decoding: Sequence[threading.Thread]) -> list[threading.Thread]:
        """Start the network's and the writer's thread, and those that close the queues."""
        closing = self._thread("entries", self._close_after, decoding, self._entries)
        network = self._thread("network", self._infer)
        # Decoding threads finish items that need no network, so the results end when both are through.
        ending = self._thread("results", self._close_after, [closing, network], self._results)
        return [closing, network, ending, self._thread("store", self._write, breaks_results=True)]

    def abort(self) -> None:
        """Drop what waits in the queues."""
        self._entries.abort()
        self._results.abort()

    def _thread(
        self, name: str, target: Callable[..., None], *args: object, breaks_results: bool = False
    ) -> threading.Thread:
        """Start a thread whose first error breaks the lane."""

        def guarded() -> None:
            try:
                target(*args)
            except Aborted:
                pass
            except BaseException as error:  # noqa: BLE001 (handed to who runs the lanes)
                self.breaks(error)
                if breaks_results:
                    self._results.abort()

        thread = threading.Thread(target=guarded, name=f"visfeat-{name}", daemon=True)
        thread.start()
        return thread

    @staticmethod
    def _close_after(threads: Sequence[threading.Thread], channel: Channel[Entry] | Channel[Rows | Finished]) -> None:
        for thread in threads:
            thread.join()
        channel.close()

    def _infer(self) -> None:
        prepared = self._prepared
        filled = batches(self._entries, rows=prepared.rows_per_batch, batch_size=prepared.network.batch_size)
        for entries, outputs in prepared.network.stream(filled):
            vectors = vectors_of(outputs, prepared)
            for rows in rows_of(entries, vectors):
                self._results.put(rows)
            for job, members, part in by_job(entries):
                if not vectors.finite[part].all():
                    self._ledger.failed(job, "its features are not finite (NaN or infinity)")
                self._ledger.delivered(job, len(members))

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
                self.progress.frames += len(result)
            return
        item = result.record.item
        if item.content_hash:
            self._found[item.uri] = item.content_hash
        if result.is_new:
            self._writer.finish(result.record, result.num_rows)
        else:
            self._writer.note(result.record)
        self.progress.count(result.record.status, is_new=result.is_new)
        if result.is_new and not result.is_copy:
            self.progress.rows += result.num_rows * len(self._prepared.layers)


class FeatureFeed:
    """The frames of one job become entries."""

    def __init__(self, lane: FeatureLane, job: Job, ledger: Ledger, emit: Callable[[Entry], None]) -> None:
        self._lane = lane
        self._job = job
        self._ledger = ledger
        self._emit = emit

    def begin(self, shared: SharedDecode) -> None:
        """Find out which times to look at; raises MediaError."""
        self._job.info = shared.decoder.info
        prepare = shared.preparer(self._lane.preprocess)
        self._assembler = InputAssembler(self._lane.recipe, prepare, times_s=self._times_s(shared))

    def feed(self, frame: Frame) -> None:
        """Emit the inputs that the frame completes."""
        for given in self._assembler.feed(frame):
            self._put(given)

    def finish(self, decoder: Decoder) -> None:
        """Emit what only the end completes, and say that this was all."""
        for given in self._assembler.finish():
            self._put(given)
        notes = () if self._job.info is None else self._job.info.notes
        # What a decoder learns on the way stands beside what its header said.
        self._job.info = replace(decoder.info, notes=tuple(dict.fromkeys((*notes, *decoder.info.notes))))
        self._ledger.decoded(self._job, decoder.problem)

    def fail(self, reason: str) -> None:
        """The job has failed."""
        self._ledger.failed(self._job, reason)
        self._ledger.decoded(self._job)

    def breaks(self, error: BaseException) -> None:
        """The lane ends."""
        self._lane.breaks(error)

    def close(self) -> None:
        """Nothing is held."""

    def _put(self, given: NetworkInput) -> None:
        job = self._job
        if not math.isnan(given.start_s) and job.item.kind is Kind.IMAGE:
            job.item = replace(job.item, kind=Kind.VIDEO)
        if given.repeated and job.info is not None and SHORT not in job.info.notes:
            job.info = replace(job.info, notes=(*job.info.notes, SHORT))
        self._emit(Entry(job, self._ledger.emitted(job), given))

    def _times_s(self, shared: SharedDecode) -> Iterator[Fraction] | None:
        """The times to look at where the recipe alone does not say them."""
        recipe, item = self._lane.recipe, self._job.item
        if recipe.clip is not None:
            return None
        if recipe.frames is not None:
            return evenly_spaced(recipe.frames, shared.duration_s())
        if recipe.frames_per_shot is None:
            return None
        if item.kind is not Kind.VIDEO:
            # An animation is one shot, and of a still image there is one frame in any case.
            return evenly_spaced(recipe.frames_per_shot, shared.duration_s())
        assert self._lane.shots is not None
        shots = self._lane.shots.of(item, stream=recipe.stream, on_frame=shared.check)
        return times_in_shots(shots, recipe.frames_per_shot)
