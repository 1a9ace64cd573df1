"""Textures that move in a known way, rendered with subpixel accuracy, and the flow that is true of them."""

from __future__ import annotations

import cv2
import numpy as np

HEIGHT_PX, WIDTH_PX = 180, 240
_EDGE_PX = 60


def _texture(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (HEIGHT_PX + 2 * _EDGE_PX, WIDTH_PX + 2 * _EDGE_PX, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min()) * 255


def similarity(dx_px: float = 0, dy_px: float = 0, *, zoom: float = 1, rotation_deg: float = 0) -> np.ndarray:
    """Where pixels of the picture go: turned clockwise to the eye and zoomed about its center, then moved; (2, 3)."""
    turn = np.deg2rad(rotation_deg)
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    center = np.array([(WIDTH_PX - 1) / 2, (HEIGHT_PX - 1) / 2])
    shift = np.array([dx_px, dy_px])
    return np.column_stack([linear, center + shift - linear @ center])


def pair(motion: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures (180, 240, 3), the second one moved."""
    return moved(np.array([[1.0, 0, 0], [0, 1, 0]]), seed), moved(motion, seed)


def moved(motion: np.ndarray, seed: int = 0) -> np.ndarray:
    """The picture after a motion from where it began."""
    texture = _texture(seed)
    matrix = motion.copy()
    matrix[:, 2] += _EDGE_PX - matrix[:, :2] @ np.array([_EDGE_PX, _EDGE_PX])
    out = cv2.warpAffine(texture, matrix, texture.shape[1::-1], flags=cv2.INTER_CUBIC)
    return np.clip(np.rint(out[_EDGE_PX:-_EDGE_PX, _EDGE_PX:-_EDGE_PX]), 0, 255).astype(np.uint8)


def true_flow(motion: np.ndarray, height: int = HEIGHT_PX, width: int = WIDTH_PX) -> np.ndarray:
    """The flow (H, W, 2) of a motion."""
    y, x = np.mgrid[0:height, 0:width]
    points = np.stack([x, y, np.ones_like(x)], axis=2).astype(np.float64)
    return (points @ motion.T - points[..., :2]).astype(np.float32)
