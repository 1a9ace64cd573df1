"""Streams over a small network, and containers of numbered frames as bytes that can be piped."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from extract_made import CARD, RECIPE, MeanColor
from media_made import write_video
from visfeat.engine.prepare import Prepared
from visfeat.frames import Features
from visfeat.recipe import Recipe
from visfeat.streaming.rows import StreamRow

CLIP_CARD = CARD.model_copy(update={"input": CARD.input.model_copy(update={"clip_frames": 4, "clip_fps": 10.0})})
CLIPS = RECIPE.but(clip=4, stride=2, clip_fps=10, tail="overlap")
COMMAND = [sys.executable, "-m", "visfeat.cli.main"]


def prepared_with(network: MeanColor | None = None, recipe: Recipe = RECIPE) -> Prepared:
    network = network or MeanColor()
    return Prepared(recipe, CLIP_CARD if recipe.clip else CARD, network, dict(network.facts))


def gray(level: int, height: int = 16, width: int = 16) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def write_levels(path: Path, count: int, **options: Any) -> Path:
    """A video whose frames are of different grays."""
    pictures = [gray(16 + 5 * n % 200, 32, 32) for n in range(count)]
    return write_video(path, pictures, **options)


def assert_same_rows(rows: Sequence[StreamRow], features: Features) -> None:
    """A stream's rows are those of a file, bit for bit."""
    assert [row.position for row in rows] == list(range(len(features)))
    assert np.stack([row.vector for row in rows]).tobytes() == features.values.tobytes()
    assert [row.start_s for row in rows] == features.start_s.tolist()
    assert [row.end_s for row in rows] == features.end_s.tolist()
    assert [row.frame_index[0] for row in rows] == features.frame_index.tolist()


def piped(content: bytes, pieces: Sequence[int] = (4096,)) -> BinaryIO:
    """The reading end of a pipe into which a thread writes the content in pieces of these sizes, again and again."""
    reading, writing = os.pipe()

    def write() -> None:
        at, turn = 0, 0
        with os.fdopen(writing, "wb", buffering=0) as file:
            while at < len(content):
                size = pieces[turn % len(pieces)]
                try:
                    file.write(content[at : at + size])
                except BrokenPipeError:
                    return
                at, turn = at + size, turn + 1

    threading.Thread(target=write, daemon=True).start()
    return os.fdopen(reading, "rb")


def rate_times(count: int, rate: Fraction | int) -> list[float]:
    """The times of frames at a steady rate, as a caller has them: in floating point."""
    return [float(n / Fraction(rate)) for n in range(count)]
