"""Videos whose cuts are known, from real photographs and films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from media_made import opened

HEIGHT_PX, WIDTH_PX = 108, 192
PHOTOS = ("astronaut.png", "cat.png", "coffee.png", "rocket.jpg", "hubble.jpg", "retina.jpg", "coins.png", "brick.png")

Clip = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class Transition:
    """The last frame that shows the old shot alone, and the first that shows the new one alone."""

    before: int
    after: int


def panned(picture: Image.Image, frames: int, seed: int) -> Clip:
    """A camera that moves over a photograph."""
    rng = np.random.default_rng(seed)
    scale = max(WIDTH_PX / picture.width, HEIGHT_PX / picture.height) * 1.4
    large = picture.convert("RGB").resize((round(picture.width * scale), round(picture.height * scale)))
    room = np.array([large.width - WIDTH_PX, large.height - HEIGHT_PX])
    start, end = rng.uniform(0.2, 0.8, 2) * room, rng.uniform(0.2, 0.8, 2) * room
    clip = []
    for t in np.linspace(0, 1, frames):
        left, top = (int(value) for value in start + (end - start) * t)
        clip.append(np.asarray(large.crop((left, top, left + WIDTH_PX, top + HEIGHT_PX))))
    return clip


def filmed(path: Path, first: int, frames: int) -> Clip:
    """Consecutive frames of a film."""
    found = [frame.rgb() for frame, _ in zip(opened(path).frames(), range(first + frames), strict=False)][first:]
    return [np.asarray(Image.fromarray(one).resize((WIDTH_PX, HEIGHT_PX))) for one in found]


def joined(clips: Sequence[Clip], dissolves: Sequence[int]) -> tuple[Clip, list[Transition]]:
    """Clips in a row; between each two a dissolve of so many frames, in which both are seen, 0 for a hard cut."""
    frames, transitions = list(clips[0]), []
    for clip, length in zip(clips[1:], dissolves, strict=True):
        first = len(frames) - length
        for step in range(length):
            share = (step + 1) / (length + 1)
            mixed = frames[first + step] * (1 - share) + clip[step] * share
            frames[first + step] = np.round(mixed).astype(np.uint8)
        transitions.append(Transition(first - 1, len(frames)))
        frames += clip[length:]
    return frames, transitions


def real_clips(samples: Path) -> list[Clip]:
    """Photographs under a moving camera and pieces of films, in turn."""
    films = [("bikes.mp4", 32, 40), ("bigbuckbunny.mp4", 10, 50), ("bikes.mp4", 80, 50), ("bikes.mp4", 188, 45)]
    pans = [panned(Image.open(samples / name), 36 + 5 * n, n) for n, name in enumerate(PHOTOS)]
    shown = [filmed(samples / name, first, count) for name, first, count in films]
    return [clip for pair in zip(pans[::2], shown, pans[1::2], strict=True) for clip in pair]


def f1(found: Sequence[int], transitions: Sequence[Transition], *, slack: int = 2) -> float:
    """F1 of first frames of shots: right where they lie in a transition, give or take ``slack`` frames; each once."""
    left = list(transitions)
    right = 0
    for frame in found:
        hit = next((one for one in left if one.before - slack <= frame <= one.after + slack), None)
        if hit is not None:
            left.remove(hit)
            right += 1
    return 2 * right / (len(found) + len(transitions))
