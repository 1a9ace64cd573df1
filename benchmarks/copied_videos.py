"""Videos for the benchmark of copies: scenes of real pictures, what is done to copies, and which seconds they share.

Originals are the two sample videos and walks over parts of photographs, with cuts; distractors are such walks over
other parts. A copy is a whole original, or a passage of one between two scenes of something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from benchmarks.copied_pictures import ATTACKS, MIRROR, Picture, cells, photographs
from benchmarks.copy_scores import Match
from visfeat.samples import write_samples

SIZE_PX = (320, 240)
FPS = 15
SHOTS, SHOT_S = 4, 3.5
PASSAGE_S = (4.0, 9.0)
"""Which seconds of an original are embedded elsewhere."""
AROUND_S = 4.0
"""How long something else is shown before and after an embedded passage."""
FASTER = Fraction(26, 25)
CELLS_A_VIDEO = SHOTS


@dataclass(frozen=True)
class Film:
    """Frames of one size, and how many of them are shown a second."""

    frames: Sequence[Picture]
    fps: Fraction

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return float(len(self.frames) / self.fps)


@dataclass(frozen=True)
class Copy:
    """How a copy is made: what is done to each frame, to the times, and how it is encoded."""

    picture: str | None = None
    crf: int = 26
    speed: Fraction = Fraction(1)
    fps: int | None = None
    is_embedded: bool = False


COPIES: dict[str, Copy] = {
    "re-encoded, crf 34": Copy(crf=34),
    "re-encoded, crf 42": Copy(crf=42),
    "half the size": Copy("half the size"),
    "crop 10%": Copy("crop 10%"),
    "crop 25%": Copy("crop 25%"),
    "logo": Copy("logo"),
    "brighter by 40%": Copy("brighter by 40%"),
    "blur": Copy("blur"),
    "letterbox": Copy("letterbox"),
    "4% faster": Copy(speed=FASTER),
    "10 frames a second": Copy(fps=10),
    "embedded passage": Copy(is_embedded=True),
    MIRROR: Copy(MIRROR),
}


def write_videos(folder: Path, *, originals: int, distractors: int, seed: int) -> list[tuple[str, Match]]:
    """Write ``references`` and ``queries``; returns the name of each copy's kind, and what it has in common with what.

    Copies are called KIND_ORIGINAL.mp4, their originals original_ORIGINAL.mp4; two originals are the sample videos.
    """
    random = np.random.default_rng(seed)
    for one in ("references", "queries"):
        (folder / one).mkdir(parents=True)
    # Frames of the sample videos would be copies of them.
    pool = cells(photographs(folder / "samples", with_videos=False), random)
    made = originals - 2
    parts = [pool[first * CELLS_A_VIDEO : (first + 1) * CELLS_A_VIDEO] for first in range(made)]
    hosts = pool[made * CELLS_A_VIDEO : made * CELLS_A_VIDEO + 2 * originals]
    others = pool[made * CELLS_A_VIDEO + 2 * originals :]
    films = [*_sample_films(folder / "samples"), *(walk(part, random) for part in parts)]
    truth = []
    with ThreadPoolExecutor() as pool_of_threads:
        jobs = []
        for number, film in enumerate(films):
            name = f"original_{number:02d}.mp4"
            jobs.append(pool_of_threads.submit(encode, folder / "references" / name, film, crf=20))
            around = [walk([host], random) for host in hosts[2 * number : 2 * number + 2]]
            for kind, (title, copy) in enumerate(COPIES.items()):
                query = f"{kind:02d}_{number:02d}.mp4"
                chance = np.random.default_rng([seed, kind, number])
                truth.append((title, _common(copy, film, query, name)))
                jobs.append(pool_of_threads.submit(_write, folder / "queries" / query, film, copy, around, chance))
        for number in range(distractors):
            chosen = [others[one] for one in random.choice(len(others), SHOTS)]
            path = folder / "references" / f"distractor_{number:03d}.mp4"
            jobs.append(pool_of_threads.submit(_walk_and_encode, path, chosen, np.random.default_rng([seed, number])))
        for job in jobs:
            job.result()
    return truth


def _sample_films(folder: Path) -> Iterator[Film]:
    paths = {path.name: path for path in write_samples(folder)}
    for name in ("bigbuckbunny.mp4", "bikes.mp4"):
        with av.open(str(paths[name])) as container:
            stream = container.streams.video[0]
            frames = [frame.to_image(width=SIZE_PX[0], height=SIZE_PX[1]) for frame in container.decode(stream)]
            yield Film(frames, Fraction(stream.average_rate or 25))


def walk(parts: Sequence[Picture], random: np.random.Generator) -> Film:
    """A shot of each picture: a window that moves over it and grows or shrinks."""
    frames = []
    for part in parts:
        begin, end = _window(part, random), _window(part, random)
        for number in range(round(SHOT_S * FPS)):
            share = number / (SHOT_S * FPS)
            left, top, right, bottom = (one + share * (other - one) for one, other in zip(begin, end, strict=True))
            frames.append(part.resize(SIZE_PX, Image.Resampling.BILINEAR, box=(left, top, right, bottom)))
    return Film(frames, Fraction(FPS))


def _window(part: Picture, random: np.random.Generator) -> tuple[float, float, float, float]:
    scale = random.uniform(0.6, 0.95)
    width, height = part.width * scale, part.height * scale
    left, top = random.uniform(0, part.width - width), random.uniform(0, part.height - height)
    return left, top, left + width, top + height


def _walk_and_encode(path: Path, parts: Sequence[Picture], random: np.random.Generator) -> None:
    encode(path, walk(parts, random), crf=26)


def _passage_of(film: Film) -> tuple[float, float]:
    """What is cut out of an original: of a short one its middle."""
    begin, end = PASSAGE_S
    return (begin, end) if film.duration_s > end else (0.2 * film.duration_s, 0.8 * film.duration_s)


def _common(copy: Copy, film: Film, query: str, reference: str) -> Match:
    """Which seconds of a copy and of its original show the same."""
    if not copy.is_embedded:
        return Match(query, reference, (0.0, film.duration_s / float(copy.speed)), (0.0, film.duration_s))
    begin, end = (round(time_s * film.fps) / film.fps for time_s in _passage_of(film))
    before = round(AROUND_S * film.fps) / film.fps
    return Match(query, reference, (float(before), float(before + end - begin)), (float(begin), float(end)))


def _write(path: Path, film: Film, copy: Copy, around: Sequence[Film], random: np.random.Generator) -> None:
    """Make a copy and encode it."""
    frames, fps = list(film.frames), film.fps * copy.speed
    if copy.is_embedded:
        begin, end = (round(time_s * film.fps) for time_s in _passage_of(film))
        before, after = (_for_so_long(one, AROUND_S, film.fps) for one in around)
        frames = [*before, *frames[begin:end], *after]
    if copy.fps is not None:
        count = round(film.duration_s * copy.fps)
        frames, fps = [frames[int(number * film.fps / copy.fps)] for number in range(count)], Fraction(copy.fps)
    if copy.picture is not None:
        attack: Callable[[Picture, np.random.Generator], Picture] = ATTACKS[copy.picture]
        # The same place in each frame.
        seed = int(random.integers(2**32))
        frames = [attack(frame, np.random.default_rng(seed)) for frame in frames]
    encode(path, Film(frames, fps), crf=copy.crf)


def _for_so_long(film: Film, duration_s: float, fps: Fraction) -> list[Picture]:
    """A film at another rate, from its beginning; its last frame stays where it is shorter."""
    times = [number / fps for number in range(round(duration_s * fps))]
    return [film.frames[min(int(time * film.fps), len(film.frames) - 1)] for time in times]


def encode(path: Path, film: Film, *, crf: int) -> None:
    """Write a film as H.264."""
    width, height = (side // 2 * 2 for side in film.frames[0].size)
    with av.open(str(path), "w") as container:
        options = {"preset": "superfast", "crf": str(crf), "threads": "1"}
        stream = container.add_stream("libx264", rate=film.fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, picture in enumerate(film.frames):
            frame = av.VideoFrame.from_image(picture.crop((0, 0, width, height)))
            frame.pts, frame.time_base = number, 1 / film.fps
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
