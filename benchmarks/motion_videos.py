"""Videos whose class no single frame tells: a bar of a real texture moves, turns, grows, fades or is lit anew.

    python -m benchmarks.motion_videos FOLDER [--train 200] [--test 15]

Every frame is drawn from the same few numbers: where the bar is, its angle, its length, how opaque it is, red or blue
light, the textures of bar and background and their brightness. In every class, a frame taken at random has each number
from the same distribution: one that a class moves runs evenly over the range from which all other classes draw it. So a
frame alone tells nothing. All frames without their order can tell which number changes, but not the class of a pair:

    left, right                  the bar's center, once across
    up, down
    clockwise, counterclockwise  a whole turn; one end of the bar is black, so that each angle looks like no other
    grow, shrink                 the bar's length
    appear, vanish               between two fifths opaque and opaque
    red_blue, blue_red           one light, then the other
    slow, fast                   to and fro along one axis, once or three times

Textures are cut from the sample photographs (``visfeat samples``); those of the test videos are in no training video.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visfeat.samples import write_samples

Values = NDArray[np.float64]
Picture = NDArray[np.uint8]

SIDE_PX, FRAMES, FPS = 64, 16, 12
PAIRS = (
    ("left", "right"), ("up", "down"), ("clockwise", "counterclockwise"), ("grow", "shrink"), ("appear", "vanish"),
    ("red_blue", "blue_red"), ("slow", "fast"),
)  # fmt: skip
CLASSES = tuple(name for pair in PAIRS for name in pair)
TEXTURES = {
    "train": ("astronaut.png", "brick.png", "camera.png", "clock.png", "coins.png", "grass.png", "hubble.jpg"),
    "test": ("cat.png", "coffee.png", "gravel.png", "rocket.jpg"),
}
REACH_PX, LENGTHS_PX, LEAST_OPACITY, TURN_DEGREES = 14.0, (26.0, 46.0), 0.4, 360.0
ASPECT, BLACK_PART = 3.0, 0.4
RED, BLUE = (1.15, 0.75, 0.5), (0.5, 0.75, 1.15)


@dataclass(frozen=True)
class Course:
    """The numbers of each frame, float ``(T,)``: all from 0 to 1, ``angle`` in turns counterclockwise."""

    x: Values
    y: Values
    angle: Values
    length: Values
    opacity: Values
    blue: Values
    """0 red light, 1 blue light."""

    def reversed(self) -> Course:
        """The same played backwards."""
        return Course(**{field.name: getattr(self, field.name)[::-1] for field in fields(self)})


def course(label: str, random: np.random.Generator) -> Course:
    """What happens in a video of this class; raises ValueError for another label."""
    if label not in CLASSES:
        raise ValueError(f"{label}: the classes are {', '.join(CLASSES)}")
    numbers = {field.name: np.full(FRAMES, random.random()) for field in fields(Course)}
    numbers["blue"] = numbers["blue"].round()
    rising = (np.arange(FRAMES) + random.random()) / FRAMES
    if label in ("slow", "fast"):
        phase = (1 if label == "slow" else 3) * rising + random.random()
        numbers[str(random.choice(["x", "y"]))] = np.abs(2 * (phase % 1) - 1)
    elif label in ("red_blue", "blue_red"):
        switch = random.integers(FRAMES // 4, FRAMES - FRAMES // 4 + 1)
        after = (np.arange(FRAMES) >= switch).astype(np.float64)
        numbers["blue"] = after if label == "red_blue" else 1 - after
    else:
        name, rises = _MOVED[label]
        numbers[name] = numbers["angle"] + (rising if rises else -rising) if name == "angle" else rising
        if name != "angle" and not rises:
            numbers[name] = 1 - rising
    return Course(**numbers)


# Class -> the number that it moves, and whether that rises. Rows count downwards.
_MOVED = {
    "left": ("x", False), "right": ("x", True), "up": ("y", False), "down": ("y", True),
    "clockwise": ("angle", False), "counterclockwise": ("angle", True),
    "grow": ("length", True), "shrink": ("length", False), "appear": ("opacity", True), "vanish": ("opacity", False),
}  # fmt: skip


def texture(photographs: Sequence[Picture], brightness: float, contrast: float, random: np.random.Generator) -> Values:
    """A square of a photograph, mirrored and turned by quarters at random: gray ``(64, 64)`` of this mean, deviation.

    Squares without any texture are drawn again.
    """
    while True:
        photograph = photographs[int(random.integers(len(photographs)))]
        side = int(random.integers(SIDE_PX, min(photograph.shape) // 2 + 1))
        top, left = (int(random.integers(0, whole - side + 1)) for whole in photograph.shape)
        square = Image.fromarray(photograph[top : top + side, left : left + side]).resize((SIDE_PX, SIDE_PX))
        values = np.rot90(np.asarray(square, np.float64), int(random.integers(4)))[:, :: random.choice([-1, 1])]
        if values.std() > 8:
            break
    return np.asarray(np.clip(brightness + contrast * (values - values.mean()) / values.std(), 0, 255))


def with_black_end(bar: Values) -> Values:
    """The texture ``(64, 64)`` with its left part black: there the bar has an end to tell by."""
    return np.where(np.arange(SIDE_PX) < BLACK_PART * SIDE_PX, 0.0, bar)


def draw(course: Course, bar: Values, background: Values) -> list[Picture]:
    """The frames uint8 ``(64, 64, 3)``: the bar, with its texture fixed to it, over the background, in one light."""
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX].astype(np.float64)
    frames = []
    for n in range(FRAMES):
        across = columns - (SIDE_PX - 1) / 2 - REACH_PX * (2 * course.x[n] - 1)
        down = rows - (SIDE_PX - 1) / 2 - REACH_PX * (2 * course.y[n] - 1)
        turn = np.deg2rad(TURN_DEGREES * course.angle[n])
        along = np.cos(turn) * across - np.sin(turn) * down
        beside = np.sin(turn) * across + np.cos(turn) * down
        length = LENGTHS_PX[0] + (LENGTHS_PX[1] - LENGTHS_PX[0]) * course.length[n]
        inside = _inside(along, length) * _inside(beside, length / ASPECT)
        cover = inside * (LEAST_OPACITY + (1 - LEAST_OPACITY) * course.opacity[n])
        # The texture grows and turns with the bar.
        places = [np.clip((part / length + 0.5) * SIDE_PX, 0, SIDE_PX - 1).astype(int) for part in (beside, along)]
        gray = cover * bar[places[0], places[1]] + (1 - cover) * background
        light = np.array(BLUE if course.blue[n] else RED)
        frames.append(np.clip(gray[:, :, None] * light, 0, 255).astype(np.uint8))
    return frames


def _inside(distance: Values, width: float) -> Values:
    """1 where a stripe of this width is, 0 beside it, half at its edge."""
    return np.clip(width / 2 - np.abs(distance) + 0.5, 0, 1)


def video(label: str, photographs: Sequence[Picture], random: np.random.Generator) -> list[Picture]:
    """The frames of one video; textures and brightness are drawn without a look at the class."""
    bar = with_black_end(texture(photographs, random.uniform(170, 220), 25, random))
    background = texture(photographs, random.uniform(60, 100), 12, random)
    return draw(course(label, random), bar, background)


def write_motion_videos(folder: Path, *, train: int, test: int, seed: int = 0) -> None:
    """``train/CLASS/0000.mp4`` and ``test/CLASS/0000.mp4``, so many a class; the same seed makes the same videos."""
    for split, each in (("train", train), ("test", test)):
        photographs = photographs_of(TEXTURES[split])
        for number, label in enumerate(CLASSES):
            (folder / split / label).mkdir(parents=True, exist_ok=True)
            for n in range(each):
                random = np.random.default_rng([seed, split == "test", number, n])
                _encode(folder / split / label / f"{n:04}.mp4", video(label, photographs, random))


def photographs_of(names: Sequence[str]) -> list[Picture]:
    """Sample photographs, gray, uint8 ``(H, W)``; raises MissingExtra where their package is not installed."""
    return [_all_photographs()[name] for name in names]


@lru_cache(maxsize=1)
def _all_photographs() -> dict[str, Picture]:
    with tempfile.TemporaryDirectory(prefix="visfeat-motion-") as scratch:
        write_samples(Path(scratch))
        names = [name for chosen in TEXTURES.values() for name in chosen]
        return {name: np.asarray(Image.open(Path(scratch) / name).convert("L")) for name in names}


def _encode(path: Path, frames: Sequence[Picture]) -> None:
    """H.264, of a quality at which a change between frames is the bar's and not the codec's."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "superfast", "crf": "14", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = SIDE_PX, SIDE_PX, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def main() -> int:
    """Make the videos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=200, help="videos a class")
    parser.add_argument("--test", type=int, default=15, help="videos a class, of textures that training never sees")
    options = parser.parse_args()
    write_motion_videos(options.folder, train=options.train, test=options.test)
    return 0


if __name__ == "__main__":
    sys.exit(main())
