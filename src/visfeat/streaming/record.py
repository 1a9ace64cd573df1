"""record: the features of a live source go into a store as they come."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from visfeat.engine.prepare import Prepared, prepare
from visfeat.errors import UsageError
from visfeat.extraction.orders import writer_of
from visfeat.extraction.progress import Progress
from visfeat.extraction.run import DEFAULT_STORE, Run
from visfeat.frames import StreamInfo
from visfeat.media.address import LiveAddress, live_address
from visfeat.media.hash import hash_of_bytes
from visfeat.media.item import Kind, MediaItem
from visfeat.recipe import Recipe, recipe_of, run_options
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import ItemRecord, Rows, Status
from visfeat.store.writer import StoreWriter
from visfeat.streaming.batcher import OnFull
from visfeat.streaming.drive import Drive
from visfeat.streaming.rows import StreamRow
from visfeat.streaming.source import FrameSource, Report, live_source
from visfeat.streaming.stream import MAX_LATENCY_S, Stream, check_streamable

COMMIT_EVERY_S = 5.0
LEAST_SILENCE_S = 10.0
LIVE = "live"
RUNNING = "live: still running when this was written, or stopped without a word"


def record(  # noqa: PLR0913 (as extract: what a run can be told, all by name)
    source: str,
    *,
    store: str | os.PathLike[str] | None = None,
    recipe: Recipe | str | os.PathLike[str] | None = None,
    live_s: Fraction | float | None = None,
    max_frames: int | None = None,
    max_latency_s: float = MAX_LATENCY_S,
    on_full: OnFull | None = None,
    max_pixels: int | None = None,
    threads: int | None = None,
    pipe: BinaryIO | None = None,
    prepared: Prepared | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    report: Report = lambda _: None,
    **options: Any,
) -> Run:
    """Extract a live source into a store until it ends, ``live_s`` or ``max_frames`` are reached, or Ctrl-C.

    ``source``: ``-`` for standard input (``pipe`` stands in for it), ``/dev/video0``, or a URL such as ``rtsp://...``.
    ``recipe`` and ``options`` as for ``extract``; ``prepared`` stands in for both. Each run is an item of its own; its
    rows can be read while it runs, a few seconds late. ``on_full`` as for ``Stream``: unless said, a pipe waits for the
    network, other sources do not.

    Ctrl-C is how a live source ends: what was seen is kept and counts as done. Raises MediaError where the source
    cannot be opened, and what ``extract`` raises.
    """
    address = live_address(source)
    if address is None:
        raise UsageError(f"{source}: no live source; there are -, /dev/video0 and URLs such as rtsp://HOST/PATH")
    said = {} if recipe is None or isinstance(recipe, Recipe) else run_options(recipe)
    wanted = recipe_of(recipe, options) if prepared is None else prepared.recipe
    check_streamable(wanted)
    check_bounds(live_s, max_frames)
    prepared = prepared or prepare(wanted, threads=threads or said.get("threads"), report=report)
    bound_s = None if live_s is None else Fraction(live_s)
    frames = live_source(
        address,
        prepared.recipe,
        live_s=bound_s,
        max_frames=max_frames,
        max_pixels=max_pixels or said.get("max_pixels"),
        report=report,
        pipe=pipe,
    )
    stream = Stream(prepared=prepared, max_latency_s=max_latency_s, on_full=on_full or usual_on_full(address))
    opened = FeatureStore.create_or_open(Path(store or said.get("store", DEFAULT_STORE)))
    progress = Progress(total=1)
    with writer_of(opened, prepared) as writer:
        recording = _Recording(writer, stream, frames, prepared, item_of(address, frames.format), progress)
        completed = Drive(stream, frames, recording.take).run(
            silence_s=silence_of(bound_s), tick=lambda: on_progress(progress)
        )
        recording.finish()
    if not completed:
        report("stopped; what was seen is in the store")
    return Run(opened.path, prepared.recipe, progress.by_outcome, progress.rows, progress.elapsed_s)


def item_of(address: LiveAddress, format_name: str) -> MediaItem:
    """This session as an item: a URI with its beginning in UTC, and a content hash that no other has."""
    now = datetime.now(UTC)
    started = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return MediaItem(
        uri=f"stream:{address.name}@{started}",
        size_bytes=0,
        mtime_ns=int(now.timestamp() * 1e9),
        kind=Kind.VIDEO,
        format=format_name,
        content_hash=hash_of_bytes(secrets.token_bytes(32)),
    )


def usual_on_full(address: LiveAddress | None) -> OnFull:
    """What can wait does: a pipe or a file; a camera goes on."""
    return "wait" if address is None or address.kind == "pipe" else "drop"


def silence_of(live_s: Fraction | None) -> float | None:
    """After how long without a frame a source counts as ended where it was to run for ``live_s``."""
    return None if live_s is None else max(float(live_s), LEAST_SILENCE_S)


def check_bounds(live_s: Fraction | float | None, max_frames: int | None) -> None:
    """Raise UsageError for bounds of time or frames that leave nothing."""
    if live_s is not None and not live_s > 0:
        raise UsageError(f"--for {live_s}: must be more than 0 s")
    if max_frames is not None and max_frames < 1:
        raise UsageError(f"--max-frames {max_frames}: must be at least 1")


@dataclass
class _Recording:
    """Rows on their way into the store; until the end the item is partial, with the rows committed so far."""

    writer: StoreWriter
    stream: Stream
    source: FrameSource
    prepared: Prepared
    item: MediaItem
    progress: Progress
    num_rows: int = 0
    committed_rows: int = -1
    committed_at_s: float = 0.0

    def take(self, rows: Sequence[StreamRow]) -> None:
        """Keep rows, and commit every few seconds."""
        if rows:
            for layer in self.prepared.row_shapes:
                self.writer.add(rows_of(rows, layer, self.item.content_hash, self.num_rows))
            self.num_rows += len(rows)
            self.progress.frames = self.num_rows
        if time.monotonic() - self.committed_at_s >= COMMIT_EVERY_S and self.num_rows != self.committed_rows:
            self._commit(Status.PARTIAL, RUNNING)

    def finish(self) -> None:
        """Say how it came out."""
        problem = "; ".join(self._problems()) or None
        status = Status.DONE if problem is None else Status.PARTIAL
        if self.num_rows == 0:
            status, problem = Status.FAILED, problem or "no frame to extract"
        self._commit(status, problem)
        self.progress.count(status, is_new=True)
        self.progress.rows = self.num_rows * len(self.prepared.row_shapes)

    def _problems(self) -> list[str]:
        found = [] if self.source.problem is None else [self.source.problem]
        if self.stream.dropped:
            found.append(f"{self.stream.dropped} rows dropped: the network was slower than the source")
        if self.stream.not_finite:
            found.append(f"{self.stream.not_finite} rows were not finite (NaN or infinity)")
        return found

    def _commit(self, status: Status, reason: str | None) -> None:
        self.writer.finish(ItemRecord(self.item, self._info(), status, reason), self.num_rows)
        self.writer.commit()
        self.committed_rows, self.committed_at_s = self.num_rows, time.monotonic()

    def _info(self) -> StreamInfo:
        info = self.source.info
        return replace(info, notes=(LIVE, *info.notes))


def rows_of(rows: Sequence[StreamRow], layer: str, content_hash: str, first_position: int) -> Rows:
    """Rows of a stream at one layer as a store takes them; positions without a gap, whatever was left out."""
    labels = tuple(row.labels for row in rows)
    return Rows(
        content_hash=content_hash,
        layer=layer,
        first_position=first_position,
        values=np.stack([row.vectors[layer] for row in rows]),
        start_s=np.array([row.start_s for row in rows]),
        end_s=np.array([row.end_s for row in rows]),
        frame_index=np.stack([row.frame_index for row in rows]),
        labels=labels if any(labels) else (),
    )
