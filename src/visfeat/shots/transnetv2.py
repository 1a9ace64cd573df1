"""TransNetV2 over a stream of frames: for each one, how likely the shot changes there.

Souček and Lokoč, TransNet V2: An effective deep network architecture for fast shot transition detection, 2020
(arXiv:2008.04838). The network sees windows of 100 frames, 50 apart, of which the middle 50 count; the first and the
last frame are repeated where a window reaches over the ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visfeat.engine.network import NetworkOptions
from visfeat.engine.openvino import build_graph
from visfeat.engine.resolve_shots import SHOT_MODEL
from visfeat.models.bundled import BundledModels
from visfeat.models.openvino_runtime import ov
from visfeat.models.source import ModelRequest

MODEL = SHOT_MODEL
WINDOW, STEP = 100, 50
"""Frames of a window; how many frames of it count, which is how far apart windows are."""
BEFORE = (WINDOW - STEP) // 2
"""How many frames of a window stand before the ones that count."""

Picture = NDArray[np.uint8]


class Probabilities(NamedTuple):
    """Of one frame."""

    change: float
    """That the shot changes after it: high at the middle frame of a transition, the last frame before a hard cut."""
    within: float
    """That it is part of a transition."""


class ShotDetector:
    """The bundled network, compiled once for any number of videos, also several at a time."""

    def __init__(self, *, threads: int | None = None) -> None:
        """Load and compile for the CPU; ``threads``: how many cores, None for all. Raises ModelError."""
        packed = BundledModels().load(ModelRequest(MODEL))
        self.input = packed.card.input
        self.digest = packed.digest
        core = ov.Core()
        options = NetworkOptions(layers=("shot_change", "in_transition"), input=self.input)
        graph = build_graph(core, packed, options, 1)
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = str(threads)
        compiled = core.compile_model(graph, "CPU", settings)
        jobs = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")) + 1
        self.idle: SimpleQueue[Any] = SimpleQueue()
        """Requests that no video uses at the moment."""
        for _ in range(jobs):
            self.idle.put(compiled.create_infer_request())

    def probabilities(self, pictures: Iterable[Picture]) -> Iterator[Probabilities]:
        """One for each picture uint8 ``(27, 48, 3)``, in their order, in flat memory."""
        changes = ShotChanges(self)
        try:
            for picture in pictures:
                yield from changes.feed(picture)
            yield from changes.finish()
        finally:
            changes.close()


class ShotChanges:
    """The probabilities of one video, which is fed picture by picture; to be closed."""

    def __init__(self, detector: ShotDetector) -> None:
        self._idle = detector.idle
        self._windows = ShotWindows()
        self._busy: deque[tuple[Any, int]] = deque()

    def feed(self, picture: Picture) -> list[Probabilities]:
        """Those of earlier pictures that have become known."""
        return [one for window, count in self._windows.feed(picture) for one in self._start(window, count)]

    def finish(self) -> list[Probabilities]:
        """All others."""
        found = [one for window, count in self._windows.finish() for one in self._start(window, count)]
        while self._busy:
            found += self._oldest()
        return found

    def close(self) -> None:
        """Give the requests back; may be called twice."""
        while self._busy:
            request, _ = self._busy.popleft()
            request.wait()
            self._idle.put(request)

    def _start(self, window: Picture, count: int) -> list[Probabilities]:
        """Set the network to work; returns what became known while one of its requests was waited for."""
        found: list[Probabilities] = []
        while True:
            try:
                # Who holds requests never waits for those of others: no two videos wait for each other.
                request = self._idle.get(block=not self._busy)
                break
            except Empty:
                found += self._oldest()
        self._busy.append((request, count))
        request.start_async({0: window[None]})
        return found

    def _oldest(self) -> list[Probabilities]:
        request, count = self._busy[0]
        request.wait()
        change, within = (request.get_output_tensor(n).data[0, BEFORE : BEFORE + count, 0].tolist() for n in (0, 1))
        self._busy.popleft()
        self._idle.put(request)
        return [Probabilities(*pair) for pair in zip(change, within, strict=True)]


class ShotWindows:
    """Windows ``(100, H, W, 3)`` of pictures that are fed one by one, each with how many of its frames count.

    Those are the frames from number 25 of the window on, the next ones that have not counted yet.
    """

    def __init__(self) -> None:
        self._held: list[Picture] = []
        self._due = 0

    def feed(self, picture: Picture) -> Iterator[tuple[Picture, int]]:
        """The window that this picture completes, if it does."""
        self._held = self._held or [picture] * BEFORE
        self._held.append(picture)
        self._due += 1
        return iter([self._next(STEP)] if len(self._held) == WINDOW else ())

    def finish(self) -> Iterator[tuple[Picture, int]]:
        """The windows that reach over the end."""
        while self._due > 0:
            self._held += self._held[-1:] * (WINDOW - len(self._held))
            yield self._next(min(self._due, STEP))

    def _next(self, count: int) -> tuple[Picture, int]:
        window = np.stack(self._held)
        self._held = self._held[STEP:]
        self._due -= count
        return window, count


def windows(pictures: Iterable[Picture]) -> Iterator[tuple[Picture, int]]:
    """The same windows, pulled from an iterator of pictures."""
    fed = ShotWindows()
    for picture in pictures:
        yield from fed.feed(picture)
    yield from fed.finish()
