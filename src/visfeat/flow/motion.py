"""What a field of flow says of motion: how much moves, and what of it is the camera's.

The camera's part is the homography that most of the field agrees with, found by RANSAC (Fischler and Bolles 1981) over
a grid of flow vectors; what is left after it are the things that move by themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visfeat.flow.dis import opencv
from visfeat.flow.field import Flow, magnitude_px

Matrix = NDArray[np.float64]

GRID = 32
"""So many vectors along the longer side are enough."""
TOLERANCE_PX = 0.5
"""A vector is the camera's where the homography says the same to this many pixels."""
_FEWEST = 8
_MARGIN = 0.05
"""Share of each side that is left out: what comes into the picture there was not to be seen before."""


@dataclass(frozen=True, slots=True)
class CameraMotion:
    """The camera's part of one step, as what it does to the picture about its center.

    ``dx_px``, ``dy_px``: how far the center moves right and down; ``zoom``: how many times larger things become;
    ``rotation_deg``: how far they turn, clockwise to the eye; ``agreeing``: the share of the field that follows.
    """

    homography: Matrix
    """float64 ``(3, 3)``, from a pixel ``(x, y, 1)`` to where it goes."""
    dx_px: float
    dy_px: float
    zoom: float
    rotation_deg: float
    agreeing: float

    def per_second(self, step_s: float) -> tuple[float, float, float, float]:
        """Dx and dy in pixels, zoom as a factor, rotation in degrees, each of a second at this pace."""
        return (
            self.dx_px / step_s,
            self.dy_px / step_s,
            self.zoom ** (1 / step_s),
            self.rotation_deg / step_s,
        )


@dataclass(frozen=True, slots=True)
class Motion:
    """Statistics of one field, in pixels a step; ``own_px`` is the mean of what the camera does not explain."""

    mean_px: float
    p90_px: float
    own_px: float
    camera: CameraMotion


def motion_of(flow: Flow) -> Motion:
    """Statistics of a field float32 ``(H, W, 2)``; raises MissingExtra without OpenCV."""
    mean, p90 = magnitude_statistics(flow)
    camera = camera_motion(flow)
    own = float(magnitude_px(flow - camera_flow(camera.homography, flow.shape[:2])).mean())
    return Motion(mean_px=mean, p90_px=p90, own_px=own, camera=camera)


def magnitude_statistics(flow: Flow) -> tuple[float, float]:
    """Mean and 90th percentile of the vectors' lengths, in pixels."""
    lengths = magnitude_px(flow)
    return float(lengths.mean()), float(np.percentile(lengths, 90))


def camera_motion(flow: Flow) -> CameraMotion:
    """The homography that most of a field ``(H, W, 2)`` agrees with; none at all where nothing agrees."""
    points, vectors = _grid(flow)
    found, share = np.eye(3), 0.0
    if len(points) >= _FEWEST:
        cv2 = opencv()
        matrix, agreeing = cv2.findHomography(points, points + vectors, cv2.RANSAC, TOLERANCE_PX)
        if matrix is not None and np.isfinite(matrix).all():
            found, share = np.asarray(matrix, dtype=np.float64), float(agreeing.mean())
    height, width = flow.shape[:2]
    return _about_center(found, ((width - 1) / 2, (height - 1) / 2), share)


def camera_flow(homography: Matrix, shape: tuple[int, ...]) -> Flow:
    """The flow ``(H, W, 2)`` that a homography alone makes in a picture of shape ``(H, W)``."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float64)
    bottom = homography[2, 0] * x + homography[2, 1] * y + homography[2, 2]
    right = (homography[0, 0] * x + homography[0, 1] * y + homography[0, 2]) / bottom
    down = (homography[1, 0] * x + homography[1, 1] * y + homography[1, 2]) / bottom
    return np.stack([right - x, down - y], axis=2).astype(np.float32)


def _grid(flow: Flow) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points ``(K, 2)`` of a regular grid inside the picture, and the flow there."""
    height, width = flow.shape[:2]
    step = max(1, max(height, width) // GRID)
    rows = np.arange(round(height * _MARGIN) + step // 2, height - round(height * _MARGIN), step)
    columns = np.arange(round(width * _MARGIN) + step // 2, width - round(width * _MARGIN), step)
    x, y = np.meshgrid(columns, rows)
    points = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
    return points, flow[y.ravel(), x.ravel()].astype(np.float64)


def _about_center(homography: Matrix, center: tuple[float, float], agreeing: float) -> CameraMotion:
    """A homography in words, from its value and its derivative at the picture's center."""
    x, y, w = homography @ np.array([*center, 1.0])
    right, down = x / w, y / w
    # The quotient rule: d(x / w) = (dx - (x / w) dw) / w.
    slope = (homography[:2, :2] - np.outer([right, down], homography[2, :2])) / w
    turn = math.atan2(slope[1, 0] - slope[0, 1], slope[0, 0] + slope[1, 1])
    zoom = math.sqrt(abs(float(np.linalg.det(slope))))
    return CameraMotion(
        homography=homography,
        dx_px=float(right - center[0]),
        dy_px=float(down - center[1]),
        zoom=zoom,
        rotation_deg=math.degrees(turn),
        agreeing=agreeing,
    )
