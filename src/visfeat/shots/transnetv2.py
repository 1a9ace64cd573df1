"""TransNetV2 over a stream of frames: for each one, how likely the shot changes there.

Souček and Lokoč, TransNet V2: An effective deep network architecture for fast shot transition detection, 2020
(arXiv:2008.04838). The network sees windows of 100 frames, 50 apart, of which the middle 50 count; the first and the
last frame are repeated where a window reaches over the ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visfeat.engine.network import NetworkOptions
from visfeat.engine.openvino import build_graph
from visfeat.models.bundled import BundledModels
from visfeat.models.openvino_runtime import ov
from visfeat.models.source import ModelRequest

MODEL = "transnetv2"
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
    """The bundled network, compiled once for any number of videos."""

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
        self._idle = deque(compiled.create_infer_request() for _ in range(jobs))

    def probabilities(self, pictures: Iterable[Picture]) -> Iterator[Probabilities]:
        """One for each picture, in their order, in flat memory; pictures are uint8 ``(27, 48, 3)``.

        A detector serves one video at a time.
        """
        busy: deque[tuple[Any, int]] = deque()
        try:
            for window, count in windows(pictures):
                if not self._idle:
                    yield from self._finish(*busy.popleft())
                request = self._idle.popleft()
                busy.append((request, count))
                request.start_async({0: window[None]})
            while busy:
                yield from self._finish(*busy.popleft())
        finally:
            for request, _ in busy:
                request.wait()
                self._idle.append(request)

    def _finish(self, request: Any, count: int) -> list[Probabilities]:
        request.wait()
        change, within = (request.get_output_tensor(n).data[0, BEFORE : BEFORE + count, 0].tolist() for n in (0, 1))
        self._idle.append(request)
        return [Probabilities(*pair) for pair in zip(change, within, strict=True)]


def windows(pictures: Iterable[Picture]) -> Iterator[tuple[Picture, int]]:
    """Windows ``(100, H, W, 3)`` and how many of their frames, from frame 25 on, are the next to count."""
    held: list[Picture] = []
    due = 0
    for picture in pictures:
        if not held:
            held = [picture] * BEFORE
        held.append(picture)
        due += 1
        if len(held) == WINDOW:
            yield np.stack(held), STEP
            held = held[STEP:]
            due -= STEP
    while due > 0:
        held = held + held[-1:] * (WINDOW - len(held))
        yield np.stack(held), min(due, STEP)
        held = held[STEP:]
        due -= STEP
