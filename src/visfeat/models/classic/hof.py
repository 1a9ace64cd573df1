"""Histograms of oriented flow, and how much of the motion is the camera's.

Dalal, Triggs and Schmid ("Human Detection Using Oriented Histograms of Flow and Appearance", ECCV 2006) made
histograms of flow as others do of gradients; Laptev, Marszalek, Schmid and Rozenfeld ("Learning Realistic Human Actions
from Movies", CVPR 2008) gave them a bin for what does not move; Wang, Klaeser, Schmid and Liu ("Dense Trajectories and
Motion Boundary Descriptors", IJCV 2013) the 8 + 1 bins and the share between neighboring directions that are used here.

Each field of flow gives a row of each layer, so that ``--pool avg`` describes a clip and ``none`` its steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visfeat.card import InputSpec
from visfeat.flow.field import MEAN, STD, Flow, from_bytes, magnitude_px
from visfeat.flow.motion import magnitude_statistics, motion_of
from visfeat.models.classic.describe import Known
from visfeat.models.classic.histograms import cell_of_each_pixel

DIRECTIONS = 8
BINS = DIRECTIONS + 1
CELLS = (4, 4)
"""Rows and columns of the grid of cells."""
STILL_PX = 0.4
"""What moves no farther goes to the last bin; far above the rounding of flow to bytes."""

INPUT = InputSpec(
    kind="flow",
    size_px=(180, 320),
    resize_px=180,
    fit="squash",
    interpolation="bilinear",
    mean=MEAN,
    std=STD,
    clip_frames=15,
    clip_fps=15,
)


def known() -> Known:
    """The default layer ``hof`` ``(T, 144)``, ``magnitude`` ``(T, 2)`` and ``camera`` ``(T, 6)``."""
    return Known(
        source="Dalal et al. 2006, Laptev et al. 2008, Wang et al. 2013, computed by visfeat.models.classic.hof",
        input=INPUT,
        layers={"hof": hof_rows, "magnitude": magnitude_rows, "camera": camera_rows},
    )


def hof_rows(coded: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Fields as bytes uint8 ``(T, H, W, 2)`` -> float32 ``(T, 144)``: ``hof`` of each."""
    return np.stack([hof(field) for field in from_bytes(coded)])


def magnitude_rows(coded: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Fields as bytes -> float32 ``(T, 2)``: mean and 90th percentile of the vectors' lengths, in pixels a step."""
    return np.array([magnitude_statistics(field) for field in from_bytes(coded)], dtype=np.float32)


def camera_rows(coded: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Fields as bytes -> float32 ``(T, 6)`` of a step: what the camera does, and the rest.

    dx and dy in pixels, zoom as a factor, rotation in degrees, the mean length of what moves by itself in pixels, and
    the share of the field that follows the camera.
    """
    rows = []
    for field in from_bytes(coded):
        motion = motion_of(field)
        camera = motion.camera
        rows.append([camera.dx_px, camera.dy_px, camera.zoom, camera.rotation_deg, motion.own_px, camera.agreeing])
    return np.array(rows, dtype=np.float32)


def hof(flow: Flow) -> NDArray[np.float32]:
    """One field ``(H, W, 2)`` -> float32 ``(144,)``, of unit length: 9 bins for each of 4 x 4 cells, row by row.

    A pixel votes with the length of its vector for the two directions between which it moves, in the shares of its
    nearness; bin 0 is to the right, 2 down, 4 left, 6 up. One that moves less than ``STILL_PX`` votes 1 for the last
    bin.
    """
    lengths = magnitude_px(flow)
    still = lengths < STILL_PX
    place = np.arctan2(flow[..., 1], flow[..., 0]) * (DIRECTIONS / (2 * np.pi)) % DIRECTIONS
    before = np.floor(place).astype(np.intp)
    share = (place - before).astype(np.float32)
    first = np.where(still, DIRECTIONS, before % DIRECTIONS)
    second = np.where(still, DIRECTIONS, (before + 1) % DIRECTIONS)
    weight = np.where(still, np.float32(1), lengths)
    cells = cell_of_each_pixel(flow.shape[:2], CELLS) * BINS
    votes = np.bincount((cells + first).ravel(), ((1 - share) * weight).ravel(), minlength=CELLS[0] * CELLS[1] * BINS)
    votes += np.bincount((cells + second).ravel(), (share * weight).ravel(), minlength=len(votes))
    return (votes / np.linalg.norm(votes)).astype(np.float32)
