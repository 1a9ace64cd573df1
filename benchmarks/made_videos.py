"""Videos of one's own making, whose every frame says which one it is.

    python -m benchmarks.made_videos FOLDER [--seconds 10] [--long]

One scene, a walk over the sample photographs with a cut every four seconds, is a function of time: at any rate the
same moment shows the same. A strip at the bottom spells the frame's number in black and white blocks, so that a test
can read from pixels which frame was taken. There are 24, 25, 30000/1001, 30 and 60 frames a second, and a variable
rate; ``--long`` adds an hour at 25 frames a second, small.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import count, cycle
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visfeat.samples import write_samples

Picture = NDArray[np.uint8]

BITS = 20
STRIP_PARTS = 10
"""The strip with the number takes that part of the height."""
SHOT_S = 4
PHOTOGRAPHS = ("astronaut.png", "coffee.png", "cat.png", "rocket.jpg", "hubble.jpg", "retina.jpg")
RATES = {
    "24": Fraction(24),
    "25": Fraction(25),
    "29.97": Fraction(30000, 1001),
    "30": Fraction(30),
    "60": Fraction(60),
}
VARIABLE = "variable"
TICKS = (1, 2, 1, 3, 5, 2)
"""Sixtieths of a second for which the frames of a variable rate are shown, again and again."""
TIME_BASE = Fraction(1, 90_000)


@dataclass(frozen=True)
class Made:
    """A video to be made: ``rate`` is a key of RATES or VARIABLE; its picture's size in pixels."""

    rate: str
    duration_s: int
    height: int = 240
    width: int = 320

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.rate}fps_{self.duration_s}s_{self.width}x{self.height}.mp4"

    def times_s(self) -> Iterator[Fraction]:
        """When each frame goes on display."""
        if self.rate == VARIABLE:
            time_s, ticks = Fraction(0), cycle(TICKS)
            while time_s < self.duration_s:
                yield time_s
                time_s += Fraction(next(ticks), 60)
        else:
            for number in count():
                time_s = number / RATES[self.rate]
                if time_s >= self.duration_s:
                    return
                yield time_s


class Scene:
    """The walk over photographs; the same for the same time, whatever the rate."""

    def __init__(self, height: int, width: int) -> None:
        """The pictures' size in pixels."""
        self._size = (height, width)
        # Twice as wide as what is seen of it, so that there is room to walk.
        self._wide = [np.asarray(photograph.resize((2 * width, height))) for photograph in photographs()]

    def at(self, time_s: Fraction) -> Picture:
        """uint8 ``(height, width, 3)``, a copy."""
        shot, within_s = divmod(time_s, SHOT_S)
        wide = self._wide[int(shot) % len(self._wide)]
        left = int(within_s / SHOT_S * self._size[1])
        return wide[:, left : left + self._size[1]].copy()


@lru_cache(maxsize=1)
def photographs() -> tuple[Image.Image, ...]:
    """The sample photographs; raises MissingExtra where the package that holds them is not installed."""
    with tempfile.TemporaryDirectory(prefix="visfeat-made-") as name:
        write_samples(Path(name))
        return tuple(Image.open(Path(name) / each).convert("RGB") for each in PHOTOGRAPHS)


def spell(picture: Picture, number: int) -> None:
    """Write a number into the strip at the bottom of a picture, in place."""
    height, width = picture.shape[:2]
    block = width // BITS
    bits = np.array([(number >> bit) & 1 for bit in range(BITS)], dtype=np.uint8)
    picture[height - height // STRIP_PARTS :, : block * BITS] = np.repeat(bits * 220 + 16, block)[None, :, None]


def number_in(picture: Picture) -> int:
    """The number that a decoded picture spells, also where it was resized as a whole."""
    height, width = picture.shape[:2]
    row = picture[height - height // STRIP_PARTS // 2 - 1, :, 1]
    middles = ((np.arange(BITS) + 0.5) * (width / BITS)).astype(int)
    return sum(1 << bit for bit in range(BITS) if row[middles[bit]] > 128)


def make(video: Made, folder: Path) -> Path:
    """Encode a video (H.264) unless it is there already; returns its path."""
    path = folder / video.name
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    scene = Scene(video.height, video.width)
    scratch = path.with_suffix(".part.mp4")
    with av.open(str(scratch), "w") as container:
        options = {"preset": "ultrafast", "crf": "23", "threads": "1"}
        stream = container.add_stream("libx264", rate=RATES.get(video.rate, Fraction(60)), options=options)
        stream.height, stream.width, stream.pix_fmt = video.height, video.width, "yuv420p"
        stream.codec_context.time_base = TIME_BASE
        for number, time_s in enumerate(video.times_s()):
            picture = scene.at(time_s)
            spell(picture, number)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time_s / TIME_BASE), TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return scratch.rename(path)


def main() -> int:
    """Make the videos and print their paths."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--long", action="store_true", help="also an hour at 25 frames a second, 160 x 120")
    options = parser.parse_args()
    videos = [Made(rate, options.seconds) for rate in (*RATES, VARIABLE)]
    videos += [Made("25", 3600, height=120, width=160)] if options.long else []
    for video in videos:
        print(make(video, options.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
