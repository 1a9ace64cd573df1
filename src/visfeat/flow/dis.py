"""Flow by dense inverse search (Kroeger, Timofte, Dai and Van Gool, ECCV 2016), OpenCV's implementation, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from visfeat.errors import MissingExtra
from visfeat.flow.field import Flow, Picture

SMALLEST_PX = 16
"""Below this OpenCV finds no level of its pyramid to begin with."""


@dataclass(frozen=True)
class DisFlow:
    """Dense inverse search with OpenCV's medium settings: 10 ms for 340 x 256 pixels on one core."""

    def __post_init__(self) -> None:
        """Raises MissingExtra where OpenCV is not installed."""
        opencv()

    @property
    def facts(self) -> Mapping[str, str]:
        """The method and OpenCV's version."""
        return {"flow": "dense inverse search, medium", "opencv": str(opencv().__version__)}

    def __call__(self, before: Picture, after: Picture) -> Flow:
        """See ``FlowEstimator``; of pictures too small to search in, the flow is zero."""
        height, width = before.shape[:2]
        if min(height, width) < SMALLEST_PX:
            return np.zeros((height, width, 2), dtype=np.float32)
        cv2 = opencv()
        # Made anew for each pair: one object holds buffers, which threads must not share.
        search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (before, after)]
        flow: Flow = search.calc(*grey, None)
        return flow


def opencv() -> Any:
    """The module cv2, computing in the calling thread alone; raises MissingExtra.

    Its search cuts the picture into as many stripes as it has threads, and the flow depends on them: one thread gives
    the same numbers everywhere, and the pipeline's own threads use the cores.
    """
    try:
        import cv2
    except ModuleNotFoundError:
        raise MissingExtra("OpenCV (cv2)", extra="classic") from None
    if cv2.getNumThreads() != 1:
        cv2.setNumThreads(1)
    return cv2
