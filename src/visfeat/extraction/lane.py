"""What a lane is: the way of one recipe through a run, beside others that share the reading and the decoding.

file -> read and hashed once -> each lane takes the content or knows it -> decoded once -> each lane's feed
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Protocol

from visfeat.decode.decoder import DecodeOptions, Decoder
from visfeat.extraction.channel import Aborted
from visfeat.extraction.inputs import FramePreparer
from visfeat.extraction.progress import Progress
from visfeat.frames import Frame, StreamInfo
from visfeat.media.item import MediaItem
from visfeat.preprocess import Preprocessor
from visfeat.store.records import Status


class SharedDecode:
    """What the feeds of one decode share, so that it is done once: the exact length, and prepared pictures."""

    def __init__(self, decoder: Decoder, stopping: threading.Event) -> None:
        self.decoder = decoder
        self._stopping = stopping
        self._duration: tuple[Fraction | None] | None = None
        self._preparers: list[tuple[Preprocessor, FramePreparer]] = []

    def duration_s(self) -> Fraction | None:
        """The exact length, None for a still image; to be asked for before the first frame. Raises MediaError."""
        if self._duration is None:
            self._duration = (self.decoder.measure_duration_s(),)
        return self._duration[0]

    def preparer(self, preprocess: Preprocessor) -> FramePreparer:
        """What prepares frames, the same one for all that want the same pixels."""
        wanted = _pixels_of(preprocess)
        for pixels, preparer in self._preparers:
            if pixels == wanted:
                return preparer
        preparer = FramePreparer(preprocess)
        self._preparers.append((wanted, preparer))
        return preparer

    def check(self) -> None:
        """Raise Aborted where the run is being stopped."""
        if self._stopping.is_set():
            raise Aborted


class Feed(Protocol):
    """One content on its way into one lane.

    What ``begin``, ``feed`` and ``finish`` raise fails this content in this lane alone, unless it is an EngineError,
    ModelError or StoreError, which breaks the lane; Aborted ends it in silence.
    """

    def begin(self, shared: SharedDecode) -> None:
        """Before the first frame."""

    def feed(self, frame: Frame) -> None:
        """Take the next frame, which others get too: nobody writes to its pixels."""

    def finish(self, decoder: Decoder) -> None:
        """All frames were fed."""

    def fail(self, reason: str) -> None:
        """No more is coming, and what came does not count."""

    def breaks(self, error: BaseException) -> None:
        """The network or the store failed: the lane takes nothing more."""

    def close(self) -> None:
        """Let go of what is held, after any of the others, also where the run is stopped."""


class Lane(Protocol):
    """One recipe at work; decoding threads call ``options``, ``take`` and ``refuse``, which may raise Aborted."""

    progress: Progress
    error: BaseException | None
    """What broke this lane, which then takes nothing more."""

    def options(self, item: MediaItem, base: DecodeOptions) -> DecodeOptions:
        """How it wants an item decoded; lanes that want the same share the decode."""

    def take(self, item: MediaItem, header: Callable[[], StreamInfo | None]) -> Feed | None:
        """What to feed with the item's frames, None where there is nothing to do, which is then counted.

        ``header`` opens the item to say what its header says.
        """

    def refuse(self, item: MediaItem, status: Status, reason: str | None = None) -> None:
        """Count an item that is no medium or cannot be read."""

    def start(self, decoding: Sequence[threading.Thread]) -> list[threading.Thread]:
        """Start the lane's threads; they end after the decoding ones have."""

    def abort(self) -> None:
        """Stop at once."""


def _pixels_of(preprocess: Preprocessor) -> Preprocessor:
    """The same without what changes no pixel: how they are normalized, and how many make a clip."""
    spec = preprocess.spec
    nothing = {"std": spec.mean, "clip_frames": 1, "clip_fps": None, "clip_lengths": ()}
    return replace(preprocess, spec=spec.model_copy(update=nothing))
