"""What a decoding thread does with one item: read, hash, decode, sample, preprocess."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

from visfeat.decode import open_decoder
from visfeat.decode.decoder import DecodeOptions, Decoder
from visfeat.engine.prepare import Prepared
from visfeat.errors import MediaError
from visfeat.extraction.channel import Aborted
from visfeat.extraction.inputs import NetworkInput, network_inputs
from visfeat.extraction.ledger import Finished, Job, Ledger
from visfeat.frames import StreamInfo
from visfeat.media.item import Kind, MediaItem
from visfeat.media.read import identify
from visfeat.store.records import ItemRecord, Status

log = logging.getLogger(__name__)

SHORT = "shorter than its last clip: frames are repeated"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row on its way to the network, and whose it is."""

    job: Job
    position: int
    input: NetworkInput


class Worker:
    """Turns items into network inputs; one instance serves all decoding threads."""

    def __init__(
        self,
        prepared: Prepared,
        options: DecodeOptions,
        ledger: Ledger,
        *,
        emit: Callable[[Entry], None],
        finish: Callable[[Finished], None],
        stopping: threading.Event,
    ) -> None:
        """``emit`` takes each input, ``finish`` each item that needs no network; both may block."""
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
        except Exception as error:  # noqa: BLE001 (one strange file must not end the run)
            self._finish(Finished(ItemRecord(item, None, Status.FAILED, _reason(item, error)), 0))
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
        except Exception as error:  # noqa: BLE001 (its features are there; only the header's facts stay unknown)
            _reason(item, error)
            return None

    def _extract(self, job: Job, content: bytes | None) -> None:
        """Decode a job's item and emit its inputs."""
        problem = None
        try:
            with closing(open_decoder(job.item, content, self._options)) as decoder:
                job.info = decoder.info
                self._emit_inputs(job, decoder)
                # What a decoder learns on the way stands beside what its header said.
                job.info = replace(decoder.info, notes=tuple(dict.fromkeys((*job.info.notes, *decoder.info.notes))))
                problem = decoder.problem
        except Aborted:
            raise
        except Exception as error:  # noqa: BLE001 (one strange file must not end the run, nor a decoder's bug)
            self._ledger.failed(job, _reason(job.item, error))
        if not self._stopping.is_set():
            self._ledger.decoded(job, problem)

    def _emit_inputs(self, job: Job, decoder: Decoder) -> None:
        for given in network_inputs(decoder, self._recipe, self._preprocess):
            if self._stopping.is_set():
                return
            if not math.isnan(given.start_s) and job.item.kind is Kind.IMAGE:
                job.item = replace(job.item, kind=Kind.VIDEO)
            if given.repeated and job.info is not None and SHORT not in job.info.notes:
                job.info = replace(job.info, notes=(*job.info.notes, SHORT))
            self._emit(Entry(job, self._ledger.emitted(job), given))


def _reason(item: MediaItem, error: Exception) -> str:
    """Why an item failed; an error that no decoder is meant to raise is logged with its place."""
    if isinstance(error, MediaError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    log.error("%s", item.uri, exc_info=error)
    return f"internal error, please report it: {type(error).__name__}: {error}"
