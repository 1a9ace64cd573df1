"""Videos whose class no single frame tells: a patch of a real texture moves, turns, grows, appears, over another one.

Every class has its opposite, which is the same played backwards, or the same at another speed; place, angle, size and
opacity of the patch are drawn at random in all classes, so that a frame looks alike in all of them. Textures are cut
from the sample photographs (``visfeat samples``).

    python -m benchmarks.motions FOLDER [--each 40]
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visfeat.samples import write_samples

SIDE_PX, FRAMES, FPS = 32, 16, 8
TEXTURES = ("brick.png", "camera.png", "cat.png", "coffee.png", "coins.png", "grass.png", "gravel.png", "rocket.jpg")
CLASSES = (
    "left", "right", "up", "down", "clockwise", "counterclockwise",
    "grow", "shrink", "appear", "vanish", "fast", "slow",
)  # fmt: skip
"""``fast`` and ``slow`` go along a random diagonal."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Patch:
    """Where the patch is, and how it looks: center in pixels, degrees counterclockwise, side in pixels, 0 to 1."""

    x_px: float
    y_px: float
    degrees: float
    side_px: float
    opacity: float


def patches(label: str, random: np.random.Generator) -> list[Patch]:
    """The patch of each frame of a video of this class."""
    still = Patch(
        x_px=random.uniform(8, SIDE_PX - 8),
        y_px=random.uniform(8, SIDE_PX - 8),
        degrees=random.uniform(0, 360),
        side_px=random.uniform(10, 16),
        opacity=random.uniform(0.6, 1.0),
    )
    steps = np.arange(FRAMES) - (FRAMES - 1) / 2
    speed_px = random.uniform(0.8, 1.2)
    if label in ("fast", "slow"):
        angle = math.radians(45 + 90 * random.integers(4))
        pace = 2.0 * speed_px if label == "fast" else 0.6 * speed_px
        dx, dy = pace * math.cos(angle), pace * math.sin(angle)
        return [replace(still, x_px=still.x_px + dx * t, y_px=still.y_px + dy * t) for t in steps]
    sign = -1 if label in ("left", "up", "clockwise", "shrink", "vanish") else 1
    if label in ("left", "right"):
        return [replace(still, x_px=still.x_px + sign * speed_px * t) for t in steps]
    if label in ("up", "down"):
        return [replace(still, y_px=still.y_px + sign * speed_px * t) for t in steps]
    if label in ("clockwise", "counterclockwise"):
        return [replace(still, degrees=still.degrees + sign * 12 * speed_px * t) for t in steps]
    if label in ("grow", "shrink"):
        return [replace(still, side_px=13 * 2 ** (sign * 0.08 * speed_px * t)) for t in steps]
    return [replace(still, opacity=float(np.clip(0.5 + sign * 0.06 * speed_px * t, 0, 1))) for t in steps]


def video(label: str, textures: Sequence[Picture], random: np.random.Generator) -> list[Picture]:
    """The frames of a video, each uint8 ``(32, 32, 3)``."""
    behind, before = (_cut(textures[random.integers(len(textures))], SIDE_PX, random) for _ in range(2))
    return [_composed(behind, before, patch) for patch in patches(label, random)]


def _cut(texture: Picture, side_px: int, random: np.random.Generator) -> Picture:
    """A square part of a texture, turned by a quarter and mirrored at random, brighter or darker."""
    top, left = (int(random.integers(0, side - side_px)) for side in texture.shape[:2])
    part = np.rot90(texture[top : top + side_px, left : left + side_px], int(random.integers(4)))
    return np.clip(part * random.uniform(0.5, 1.3) + random.uniform(-20, 40), 0, 255).astype(np.uint8)


def _composed(behind: Picture, before: Picture, patch: Patch) -> Picture:
    """The patch over what is behind; it comes in again at the opposite edge."""
    side = max(2, round(patch.side_px))
    turned = Image.fromarray(before).resize((side, side)).convert("RGBA").rotate(patch.degrees, expand=True)
    large = np.tile(behind, (3, 3, 1))
    canvas = Image.fromarray(large).convert("RGBA")
    alpha = np.asarray(turned)[:, :, 3] * patch.opacity
    turned.putalpha(Image.fromarray(alpha.astype(np.uint8)))
    for row in range(3):
        for column in range(3):
            x = patch.x_px % SIDE_PX + column * SIDE_PX - turned.width / 2
            y = patch.y_px % SIDE_PX + row * SIDE_PX - turned.height / 2
            canvas.alpha_composite(turned, (max(0, round(x)), max(0, round(y))))
    return np.asarray(canvas.convert("RGB"))[SIDE_PX : 2 * SIDE_PX, SIDE_PX : 2 * SIDE_PX].copy()


def write_motions(folder: Path, *, each: int, seed: int = 0) -> None:
    """A folder per class with ``each`` videos, 2 s at 8 frames a second, lossless."""
    with tempfile.TemporaryDirectory() as scratch:
        write_samples(Path(scratch))
        textures = [np.asarray(Image.open(Path(scratch) / name).convert("RGB")) for name in TEXTURES]
    for number, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for n in range(each):
            frames = video(label, textures, np.random.default_rng([seed, number, n]))
            _write(folder / label / f"{n:04}.mkv", frames)


def _write(path: Path, frames: Sequence[Picture]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = SIDE_PX, SIDE_PX, "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the videos.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--each", type=int, default=40, help="videos a class")
    given = parser.parse_args()
    write_motions(given.folder, each=given.each)
