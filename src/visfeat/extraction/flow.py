"""Sampled frames become fields of flow, as bytes: what a network over flow sees of them.

Flow is estimated on the whole resized picture, then the network's window is cut out of the field, so that what moves
across the window's edge is followed. The field of a frame leads to the next sampled one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visfeat.flow.field import STILL, Picture, to_bytes
from visfeat.frames import Frame
from visfeat.preprocess import Preprocessor
from visfeat.resize import Geometry
from visfeat.sample import Sample
from visfeat.views import cut_views, views_of


class Step(NamedTuple):
    """From one sampled frame to the next; ``field`` gives the flow between them, bytes uint8 ``(V, height, width, 2)``.

    It is estimated when it is first asked for: between clips that lie apart nobody does.
    """

    before: Sample
    after: Frame
    field: Callable[[], NDArray[np.uint8]]


class FlowSteps:
    """Estimates each flow of one video at most once; N frames give N - 1 fields, a single one a field of no motion."""

    def __init__(self, preprocess: Preprocessor) -> None:
        """The preprocessor of a network over flow, which knows how flow is estimated."""
        assert preprocess.flow is not None
        self._preprocess = preprocess
        self._estimate = preprocess.flow
        self._last: tuple[Sample, Picture] | None = None
        self._any = False

    def feed(self, chosen: Sample) -> Iterator[Step]:
        """The step that a sampled frame completes; raises BrokenMedia where the crop misses the picture."""
        last = self._last
        same = last is not None and last[0].frame is chosen.frame
        picture = last[1] if last is not None and same else resized_whole(self._preprocess, chosen.frame.rgb())
        self._last = (chosen, picture)
        if last is not None:
            self._any = True
            yield Step(last[0], chosen.frame, cache(partial(self._field, last[1], picture)))

    def finish(self) -> Iterator[Step]:
        """Of a video of one frame, and of a still image: no motion."""
        if self._last is not None and not self._any:
            sample, _ = self._last
            yield Step(sample, sample.frame, partial(no_motion, self._preprocess))

    def _field(self, before: Picture, after: Picture) -> NDArray[np.uint8]:
        # A frame that stands for two samples does not move, whatever an estimator makes of it.
        if before is after or before.shape != after.shape:
            return no_motion(self._preprocess)
        return windows(to_bytes(self._estimate(before, after)), self._preprocess)


def resized_whole(preprocess: Preprocessor, picture: Picture) -> Picture:
    """The picture as large as it is before the network's window is cut out."""
    picture = preprocess.looked_at(picture)
    geometry = Geometry.of(picture.shape[0], picture.shape[1], preprocess.spec)
    size = (geometry.resized_height, geometry.resized_width)
    whole = preprocess.spec.model_copy(update={"size_px": size, "fit": "squash"})
    return Preprocessor(whole, method=preprocess.method).picture(picture)


def windows(coded: NDArray[np.uint8], preprocess: Preprocessor) -> NDArray[np.uint8]:
    """The network's views of a field of the whole picture: ``(H, W, 2)`` -> ``(V, height, width, 2)``."""
    height, width = coded.shape[:2]
    size = preprocess.spec.size_px
    if preprocess.crops is None:
        return _window(coded, round((height - size[0]) / 2.0), round((width - size[1]) / 2.0), size)[None]
    views = views_of(preprocess.crops, height, width, size)
    cut_out = cut_views(coded, views, size)
    for view, field in zip(views, cut_out, strict=True):
        if view.mirrored:
            # In the mirror what moves right moves left.
            field[..., 0] = np.minimum(2 * STILL - field[..., 0].astype(np.int16), 255)
    return cut_out


def no_motion(preprocess: Preprocessor) -> NDArray[np.uint8]:
    """What the network sees of a picture that stands still: ``(V, height, width, 2)``."""
    return np.full((preprocess.views, *preprocess.spec.size_px, 2), STILL, dtype=np.uint8)


def _window(coded: NDArray[np.uint8], top: int, left: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A window of a field; outside of the picture nothing moves."""
    out = np.full((*size, 2), STILL, dtype=np.uint8)
    part = coded[max(0, top) : max(0, top + size[0]), max(0, left) : max(0, left + size[1])]
    into_top, into_left = max(0, -top), max(0, -left)
    out[into_top : into_top + part.shape[0], into_left : into_left + part.shape[1]] = part
    return out
