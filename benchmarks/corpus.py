"""The corpus of the image benchmarks: JPEGs of about 500 px, as the web has them, always the same ones.

They are crops of the sample photographs and of frames of the sample videos, at usual sizes and qualities, most with
chroma subsampled 4:2:0, some 4:4:4, some progressive. No crop is ever enlarged: that would make smooth pictures,
which decode faster than real ones.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import av
import numpy as np
from PIL import Image

from visfeat.samples import SAMPLES, write_samples

COUNT = 600
SEED = 20260101
_REVISION = 1

SIZES_PX = ((500, 375), (375, 500), (500, 333), (333, 500), (500, 500), (640, 480), (480, 360), (512, 384))
QUALITIES = (75, 80, 85, 90, 95)
LEAST_SIDE_PX = 300
FRAMES_PER_VIDEO = 12


def default_corpus(cache: Path) -> Path:
    """The folder of the default corpus under ``cache``, written on the first call (about ten seconds)."""
    folder = cache / f"corpus-{_REVISION}-{COUNT}"
    complete = cache / f"{folder.name}.complete"  # beside it: the folder holds JPEGs and nothing else
    if not complete.exists():
        # Not the derived samples: they show the originals once more.
        originals = {sample.name for sample in SAMPLES}
        samples = [path for path in write_samples(cache / "samples") if path.name in originals]
        write_corpus(folder, sources=samples, count=COUNT, seed=SEED)
        complete.write_text(f"{COUNT} pictures, seed {SEED}\n")
    return folder


def write_corpus(folder: Path, *, sources: Sequence[Path], count: int, seed: int) -> list[Path]:
    """Write ``count`` JPEGs cut from the pictures and video frames of ``sources``; raises ValueError if none serve."""
    pictures = list(_pictures(sources))
    if not pictures:
        raise ValueError(f"no picture of at least {LEAST_SIDE_PX} px among {len(sources)} files")
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    contents: dict[bytes, None] = {}  # in order, none twice: equal files would be extracted once
    for picture in cycle(pictures):
        contents[_one(picture, random)] = None
        if len(contents) == count:
            break
    paths = [folder / f"{number:04d}.jpg" for number in range(count)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def corpus_digest(paths: Sequence[Path]) -> str:
    """12 hex digits that name the files' contents, for the report."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _one(picture: Image.Image, random: np.random.Generator) -> bytes:
    """A random crop of a picture, scaled down to a usual size, as the bytes of a JPEG."""
    size = SIZES_PX[random.integers(len(SIZES_PX))]
    most = min(picture.width / size[0], picture.height / size[1])
    scale = random.uniform(min(1.0, most), most)
    width, height = int(size[0] * scale), int(size[1] * scale)
    left = int(random.integers(picture.width - width + 1))
    top = int(random.integers(picture.height - height + 1))
    crop = picture.crop((left, top, left + width, top + height))
    if scale > 1:
        crop = crop.resize(size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    crop.save(
        file,
        "JPEG",
        quality=int(random.choice(QUALITIES)),
        subsampling="4:4:4" if random.random() < 0.1 else "4:2:0",
        progressive=bool(random.random() < 0.1),
    )
    return file.getvalue()


def _pictures(sources: Sequence[Path]) -> Iterator[Image.Image]:
    """Pictures large enough, in the order of their names."""
    for path in sorted(sources):
        frames = _frames(path) if path.suffix in {".mp4", ".mkv", ".webm", ".avi"} else _still(path)
        yield from (frame for frame in frames if min(frame.size) >= LEAST_SIDE_PX)


def _still(path: Path) -> Iterator[Image.Image]:
    if path.suffix in {".jpg", ".jpeg", ".png"}:
        with Image.open(path) as image:
            yield image.convert("RGB")


def _frames(path: Path) -> Iterator[Image.Image]:
    """Frames spread over a video."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    for index in np.linspace(0, len(frames) - 1, FRAMES_PER_VIDEO).astype(int):
        yield frames[index].to_image()
