"""What a decoding thread does with one item: read and hash it, decode it once, feed all lanes that need it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache, partial

from visfeat.decode import open_decoder
from visfeat.decode.decoder import DecodeOptions
from visfeat.errors import EngineError, MediaError, ModelError, StoreError
from visfeat.extraction.channel import Aborted
from visfeat.extraction.lane import Feed, Lane, SharedDecode
from visfeat.frames import Frame, StreamInfo
from visfeat.media.item import Kind, MediaItem
from visfeat.media.read import identify
from visfeat.store.records import Status

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """An item, and the lanes that may not know it yet."""

    item: MediaItem
    lanes: Sequence[Lane]

    @property
    def at_work(self) -> list[Lane]:
        """The lanes that are not broken."""
        return [lane for lane in self.lanes if lane.error is None]


class Worker:
    """Does tasks; one instance serves all decoding threads."""

    def __init__(self, options: DecodeOptions, stopping: threading.Event) -> None:
        """``options``: what all lanes have in common; ``stopping``: set where the run is being stopped."""
        self._options = options
        self._stopping = stopping

    def work(self, task: Task) -> None:
        """Do one task; whatever is wrong with its item becomes the item's record in each lane."""
        try:
            item, content = identify(task.item)
        except Exception as error:  # noqa: BLE001 (one strange file must not end the run)
            self._refuse(task.item, task, Status.FAILED, reason_of(task.item, error))
            return
        if item.kind is Kind.IGNORED:
            self._refuse(item, task, Status.IGNORED)
            return
        header = cache(partial(self._header, item, content))
        groups: dict[DecodeOptions, list[Feed]] = {}
        for lane in task.at_work:
            options = lane.options(item, self._options)
            with suppress(Aborted):
                feed = lane.take(item, partial(header, options))
                if feed is not None:
                    groups.setdefault(options, []).append(feed)
        for options, feeds in groups.items():
            self._decode(item, content, options, feeds)

    @staticmethod
    def _refuse(item: MediaItem, task: Task, status: Status, reason: str | None = None) -> None:
        for lane in task.at_work:
            with suppress(Aborted):
                lane.refuse(item, status, reason)

    def _header(self, item: MediaItem, content: bytes | None, options: DecodeOptions) -> StreamInfo | None:
        """What the header says of a file whose content was extracted under another name."""
        try:
            with closing(open_decoder(item, content, options)) as decoder:
                return decoder.info
        except Exception as error:  # noqa: BLE001 (its features are there; only the header's facts stay unknown)
            reason_of(item, error)
            return None

    def _decode(self, item: MediaItem, content: bytes | None, options: DecodeOptions, feeds: list[Feed]) -> None:
        """Decode an item once and feed all that share this decode."""
        group = _Group(item, feeds)
        try:
            with closing(open_decoder(item, content, options)) as decoder:
                shared = SharedDecode(decoder, self._stopping)
                group.each(lambda feed: feed.begin(shared))
                is_shared = len(feeds) > 1
                for frame in decoder.frames() if group.feeds else ():
                    if self._stopping.is_set() or not group.feeds:
                        return
                    group.feed(frame.converted_once() if is_shared else frame)
                if not self._stopping.is_set():
                    group.each(lambda feed: feed.finish(decoder))
        except Exception as error:  # noqa: BLE001 (one strange file must not end the run, nor a decoder's bug)
            if not self._stopping.is_set():
                group.fail(reason_of(item, error))
        finally:
            for feed in feeds:
                feed.close()


class _Group:
    """The feeds of one decode that are still to be fed: one that fails leaves the others alone."""

    def __init__(self, item: MediaItem, feeds: Sequence[Feed]) -> None:
        self.feeds = list(feeds)
        self._item = item

    def each(self, do: Callable[[Feed], None]) -> None:
        """Do it to each feed; one that raises is told why it failed, and gets no more."""
        for feed in tuple(self.feeds):
            try:
                do(feed)
            except Aborted:
                self.feeds.remove(feed)
            except (EngineError, ModelError, StoreError) as error:
                self.feeds.remove(feed)
                feed.breaks(error)
            except Exception as error:  # noqa: BLE001 (what is wrong with it may be wrong for one recipe alone)
                self.feeds.remove(feed)
                _tell(feed, reason_of(self._item, error))

    def feed(self, frame: Frame) -> None:
        """Feed each with a frame."""
        self.each(lambda feed: feed.feed(frame))

    def fail(self, reason: str) -> None:
        """The decode itself failed."""
        for feed in self.feeds:
            _tell(feed, reason)


def _tell(feed: Feed, reason: str) -> None:
    with suppress(Aborted):
        feed.fail(reason)


def reason_of(item: MediaItem, error: Exception) -> str:
    """Why an item failed; an error that no decoder is meant to raise is logged with its place."""
    if isinstance(error, MediaError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    log.error("%s", item.uri, exc_info=error)
    return f"internal error, please report it: {type(error).__name__}: {error}"
