"""The lane of ``-r shots``: the frames of videos become rows of the store's table of shots."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from visfeat.decode.decoder import DecodeOptions, Decoder
from visfeat.extraction.lane import Feed, SharedDecode
from visfeat.extraction.ledger import Finished, Job, Ledger
from visfeat.extraction.progress import Progress
from visfeat.frames import Frame, StreamInfo
from visfeat.media.item import Kind, MediaItem
from visfeat.shots.detect import Shot, ShotTracker
from visfeat.shots.ensure import StoredShots
from visfeat.store.records import Status


class ShotLane:
    """Finds the shots of all videos whose shots are not known; images are passed over.

    The decoding threads run the network themselves, each as many of its requests as are idle, and write what they find.
    """

    def __init__(
        self,
        shots: StoredShots,
        outcomes: dict[str, Status],
        progress: Progress,
        *,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``outcomes``: the contents that need not be looked at; ``report`` is told why a video has no shots."""
        self.progress = progress
        self.error: BaseException | None = None
        self.shots = shots
        self._report = report
        self._ledger = Ledger(outcomes, self._count)
        self._counting = threading.Lock()

    def options(self, item: MediaItem, base: DecodeOptions) -> DecodeOptions:  # noqa: ARG002
        """Frames as they are, of the best stream: a store's shots are of no other."""
        return base

    def take(self, item: MediaItem, header: Callable[[], StreamInfo | None]) -> Feed | None:  # noqa: ARG002
        """What to feed with a video's frames."""
        known = self._ledger.known(item.content_hash)
        if item.kind is not Kind.VIDEO or known is not None:
            with self._counting:
                self.progress.count(known or Status.IGNORED, is_new=False)
            return None
        job = self._ledger.claim(item)
        return None if job is None else ShotFeed(self, job, self._ledger)

    def refuse(self, item: MediaItem, status: Status, reason: str | None = None) -> None:
        """Count what has no shots."""
        if reason is not None:
            self._report(f"{item.uri}: {reason}")
        with self._counting:
            self.progress.count(status, is_new=True)

    def saw_frame(self) -> None:
        """Count one more frame."""
        with self._counting:
            self.progress.frames += 1

    def start(self, decoding: Sequence[threading.Thread]) -> list[threading.Thread]:  # noqa: ARG002
        """It has no threads."""
        return []

    def abort(self) -> None:
        """It has no queues."""

    def _count(self, finished: Finished) -> None:
        record = finished.record
        if record.status is Status.FAILED:
            self._report(f"{record.item.uri}: {record.reason}")
        with self._counting:
            self.progress.count(record.status, is_new=finished.is_new)
            if not finished.is_copy:
                self.progress.rows += finished.num_rows


class ShotFeed:
    """The frames of one video become its shots."""

    def __init__(self, lane: ShotLane, job: Job, ledger: Ledger) -> None:
        self._lane = lane
        self._job = job
        self._ledger = ledger
        self._tracker: ShotTracker | None = None
        self._known: tuple[Shot, ...] | None = None

    def begin(self, shared: SharedDecode) -> None:  # noqa: ARG002
        """Get hold of the network, unless another lane has found the shots already. Raises ModelError."""
        self._known = self._lane.shots.known(self._job.item.content_hash)
        if self._known is None:
            self._tracker = ShotTracker(self._lane.shots.detector(), threshold=self._lane.shots.threshold)

    def feed(self, frame: Frame) -> None:
        """Track the next frame; raises MediaError."""
        if self._tracker is not None:
            self._tracker.feed(frame)
            self._lane.saw_frame()

    def finish(self, decoder: Decoder) -> None:
        """Write the shots, and tell how it came out. Raises StoreError."""
        shots = self._known or ()
        if self._tracker is not None:
            shots = self._tracker.finish()
            self._lane.shots.keep(self._job.item.content_hash, shots)
        for _ in shots:
            self._ledger.emitted(self._job)
        self._ledger.decoded(self._job, decoder.problem)
        self._ledger.delivered(self._job, len(shots))

    def fail(self, reason: str) -> None:
        """The video has no shots."""
        self._ledger.failed(self._job, reason)
        self._ledger.decoded(self._job)

    def breaks(self, error: BaseException) -> None:
        """The lane ends."""
        self._lane.error = error

    def close(self) -> None:
        """Give the network back."""
        if self._tracker is not None:
            self._tracker.close()
