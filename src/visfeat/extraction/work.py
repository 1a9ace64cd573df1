"""What a decoding thread does with one item: read, hash, decode, sample, preprocess."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visfeat.decode import open_decoder
from visfeat.decode.decoder import DecodeOptions, Decoder
from visfeat.engine.prepare import Prepared
from visfeat.errors import MediaError
from visfeat.extraction.channel import Aborted
from visfeat.extraction.ledger import Finished, Job, Ledger
from visfeat.frames import Frame, FrameBatch, StreamInfo
from visfeat.media.item import Kind, MediaItem
from visfeat.media.read import identify
from visfeat.sample import sample
from visfeat.store.records import ItemRecord, Status

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sample:
    """One row on its way to the network: model input uint8 ``(T, height, width, 3)`` with its place and time."""

    job: Job
    position: int
    pixels: NDArray[np.uint8]
    start_s: float
    end_s: float
    frame_index: int


class Worker:
    """Turns items into samples; one instance serves all decoding threads."""

    def __init__(
        self,
        prepared: Prepared,
        options: DecodeOptions,
        ledger: Ledger,
        *,
        emit: Callable[[Sample], None],
        finish: Callable[[Finished], None],
        stopping: threading.Event,
    ) -> None:
        """``emit`` takes each sample, ``finish`` each item that needs no network; both may block."""
        self._recipe = prepared.recipe
        self._preprocess = prepared.preprocessor
        self._options = replace(
            options,
            reducible_to_px=self._preprocess.reducible_to_px,
            stream=self._recipe.stream,
            animations=self._recipe.animations,
        )
        self._ledger = ledger
        self._emit = emit
        self._finish = finish
        self._stopping = stopping

    def work(self, item: MediaItem) -> None:
        """Do one item; whatever is wrong with it becomes its record. Raises Aborted only."""
        try:
            item, content = identify(item)
        except MediaError as error:
            self._finish(Finished(ItemRecord(item, None, Status.FAILED, str(error)), 0))
            return
        if item.kind is Kind.IGNORED:
            self._finish(Finished(ItemRecord(item, None, Status.IGNORED), 0))
            return
        known = self._ledger.known(item.content_hash)
        if known is not None:
            info = self._header(item, content)
            self._finish(Finished(ItemRecord(item, info, known), 0, is_new=False))
            return
        job = self._ledger.claim(item)
        if job is not None:
            self._extract(job, content)

    def _header(self, item: MediaItem, content: bytes | None) -> StreamInfo | None:
        """What the header says of a file whose content was extracted under another name."""
        try:
            with closing(open_decoder(item, content, self._options)) as decoder:
                return decoder.info
        except MediaError:
            return None

    def _extract(self, job: Job, content: bytes | None) -> None:
        """Decode a job's item and emit its samples."""
        problem = None
        try:
            with closing(open_decoder(job.item, content, self._options)) as decoder:
                job.info = decoder.info
                self._emit_samples(job, decoder)
                problem = decoder.problem
        except Aborted:
            raise
        except MediaError as error:
            self._ledger.failed(job, str(error))
        except MemoryError:
            self._ledger.failed(job, "not enough memory to decode it")
        except Exception as error:
            # One strange file must not end the run, even where a decoder has a bug.
            log.exception("%s", job.item.uri)
            self._ledger.failed(job, f"{type(error).__name__}: {error}")
        if not self._stopping.is_set():
            self._ledger.decoded(job, problem)

    def _emit_samples(self, job: Job, decoder: Decoder) -> None:
        for frame in self._chosen(decoder):
            if self._stopping.is_set():
                return
            if frame.start_s is not None and job.item.kind is Kind.IMAGE:
                job.item = replace(job.item, kind=Kind.VIDEO)
            batch = FrameBatch.of(frame)
            pixels = self._preprocess(batch)[0]
            self._emit(
                Sample(
                    job,
                    self._ledger.emitted(job),
                    pixels,
                    start_s=float(batch.pts_s[0, 0]),
                    end_s=float(batch.end_s[0, -1]),
                    frame_index=int(batch.frame_index[0, 0]),
                )
            )

    def _chosen(self, decoder: Decoder) -> Iterator[Frame]:
        """The frames that the recipe looks at, in order."""
        duration_s = None
        if self._recipe.frames is not None and not (self._recipe.every_frame or self._recipe.keyframes):
            duration_s = decoder.measure_duration_s()
        return (frame for _, frame in sample(decoder.frames(), self._recipe, duration_s=duration_s))
