"""Pictures for the benchmark of copies: parts of real photographs that do not overlap, and what is done to copies.

A photograph is divided into cells of 4 : 3 that share no pixel. Some cells are originals; distractors are cut out of
the others, at all sizes, turned and toned. So a distractor often shows the same wall, sky or lawn as an original and
never the same place of it: harder than other people's photographs would be.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from visfeat.samples import SAMPLES, write_samples

Picture = Image.Image
CELL_PX = (248, 186)
MOST_CELLS = 12
"""Of one photograph, so that none outweighs the others."""
FRAMES_S = {"bigbuckbunny.mp4": (1.0,), "bikes.mp4": (0.5, 3.0, 5.5, 8.0)}
"""One moment of each scene of the sample videos."""
VIDEOS = tuple(FRAMES_S)


def photographs(folder: Path, *, with_videos: bool = True) -> list[Picture]:
    """The sample photographs, those of scikit-learn where it is installed, and frames of the sample videos."""
    paths = {path.name: path for path in write_samples(folder)}
    found = [_opened(paths[one.name]) for one in SAMPLES if one.name not in VIDEOS]
    found += [_opened(path) for path in _of_scikit_learn()]
    if with_videos:
        found += [frame for name, times_s in FRAMES_S.items() for frame in frames_at(paths[name], times_s)]
    return found


def _opened(path: Path) -> Picture:
    with Image.open(path) as image:
        return image.convert("RGB")


def _of_scikit_learn() -> list[Path]:
    try:
        listed = files("scikit-learn") or []
    except PackageNotFoundError:
        return []
    return sorted(Path(str(one.locate())) for one in listed if one.match("sklearn/datasets/images/*.jpg"))


def frames_at(path: Path, times_s: Sequence[float]) -> Iterator[Picture]:
    """The first frame of a video at or after each time."""
    wanted = list(times_s)
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if wanted and frame.time is not None and frame.time >= wanted[0]:
                wanted.pop(0)
                yield frame.to_image()


def cells(pictures: Sequence[Picture], random: np.random.Generator) -> list[Picture]:
    """The cells of all pictures in random order; those without structure (empty sky) are left out."""
    found = []
    width, height = CELL_PX
    for picture in pictures:
        corners = [
            (left, top)
            for top in range(0, picture.height - height + 1, height)
            for left in range(0, picture.width - width + 1, width)
        ]
        chosen = random.permutation(len(corners))[:MOST_CELLS]
        found += [picture.crop((x, y, x + width, y + height)) for x, y in (corners[one] for one in chosen)]
    structured = [cell for cell in found if np.asarray(cell.convert("L"), float).std() > 12]
    return [structured[one] for one in random.permutation(len(structured))]


def distractor(cell: Picture, random: np.random.Generator) -> Picture:
    """A part of a cell, turned or not, toned, as large as a cell."""
    scale = random.uniform(0.4, 1.0)
    width, height = (max(64, round(side * scale)) for side in CELL_PX)
    left, top = (int(random.integers(side - own + 1)) for side, own in zip(cell.size, (width, height), strict=True))
    part = cell.crop((left, top, left + width, top + height))
    if random.random() < 0.5:
        part = ImageOps.mirror(part)
    if random.random() < 0.25:
        part = part.transpose(Image.Transpose.ROTATE_180)
    part = ImageEnhance.Brightness(part).enhance(random.uniform(0.7, 1.3))
    part = ImageEnhance.Color(part).enhance(random.uniform(0.5, 1.5))
    return part.resize(CELL_PX, Image.Resampling.BICUBIC)


# What is done to copies: a picture and a source of chance in, a picture out.


def _again(quality: int) -> Callable[[Picture, np.random.Generator], Picture]:
    def encode(picture: Picture, _: np.random.Generator) -> Picture:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        return Image.open(file).convert("RGB")

    return encode


def _smaller(part: float) -> Callable[[Picture, np.random.Generator], Picture]:
    def shrink(picture: Picture, _: np.random.Generator) -> Picture:
        width, height = (round(side * part) for side in picture.size)
        return picture.resize((width, height), Image.Resampling.BICUBIC)

    return shrink


def _cropped(lost: float) -> Callable[[Picture, np.random.Generator], Picture]:
    """Width and height lose that part, anywhere."""

    def crop(picture: Picture, random: np.random.Generator) -> Picture:
        width, height = (round(side * (1 - lost)) for side in picture.size)
        left, top = int(random.integers(picture.width - width + 1)), int(random.integers(picture.height - height + 1))
        return picture.crop((left, top, left + width, top + height))

    return crop


def _brightness(factor: float) -> Callable[[Picture, np.random.Generator], Picture]:
    return lambda picture, _: ImageEnhance.Brightness(picture).enhance(factor)


def _blurred(picture: Picture, _: np.random.Generator) -> Picture:
    return picture.filter(ImageFilter.GaussianBlur(picture.width / 100))


def _mirrored(picture: Picture, _: np.random.Generator) -> Picture:
    return ImageOps.mirror(picture)


def _logo(picture: Picture, random: np.random.Generator) -> Picture:
    """An opaque emblem with a word over a fifth of the width, in a corner."""
    marked = picture.copy()
    draw = ImageDraw.Draw(marked)
    width, height = picture.width // 5, picture.height // 6
    left = 6 if random.random() < 0.5 else picture.width - width - 6
    top = 6 if random.random() < 0.5 else picture.height - height - 6
    draw.rectangle((left, top, left + width, top + height), fill=(200, 20, 40))
    draw.ellipse((left + 4, top + 4, left + height - 4, top + height - 4), fill=(255, 240, 60))
    draw.text((left + height, top + height / 3), "TV", fill=(255, 255, 255))
    return marked


def _letterboxed(picture: Picture, _: np.random.Generator) -> Picture:
    """Black bars above and below, an eighth of the height each."""
    return ImageOps.expand(picture, border=(0, picture.height // 8), fill=(0, 0, 0))


def _on_a_screen(picture: Picture, _: np.random.Generator) -> Picture:
    """A screenshot: a window's title above, a column of controls beside it."""
    width, height = picture.size
    screen = Image.new("RGB", (width * 5 // 4, height * 5 // 4), (236, 238, 241))
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, screen.width, height // 8), fill=(52, 58, 70))
    for number in range(3):
        draw.ellipse((8 + 14 * number, 6, 17 + 14 * number, 15), fill=(220, 90 + 60 * number, 80))
    for number in range(6):
        top = height // 6 + number * height // 6
        draw.rectangle((width + 14, top, screen.width - 8, top + 10), fill=(170, 176, 186))
    screen.paste(picture, (8, height // 6))
    return screen


ATTACKS: dict[str, Callable[[Picture, np.random.Generator], Picture]] = {
    "JPEG quality 50": _again(50),
    "JPEG quality 20": _again(20),
    "JPEG quality 8": _again(8),
    "half the size": _smaller(0.5),
    "quarter the size": _smaller(0.25),
    "crop 10%": _cropped(0.10),
    "crop 25%": _cropped(0.25),
    "logo": _logo,
    "brighter by 40%": _brightness(1.4),
    "darker by 40%": _brightness(0.6),
    "blur": _blurred,
    "letterbox": _letterboxed,
    "screenshot": _on_a_screen,
    "mirror": _mirrored,
}
MIRROR = "mirror"
"""Found on request alone."""


def write_pictures(folder: Path, *, originals: int, distractors: int, seed: int, own: Path | None = None) -> None:
    """Write ``references`` (originals and distractors) and ``queries`` (a copy of each original for each attack).

    A copy is called ATTACK-NUMBER_ORIGINAL.jpg, its original original_ORIGINAL.png. ``own``: a folder of other
    photographs to take in place of the samples.
    """
    random = np.random.default_rng(seed)
    pictures = [_opened(path) for path in sorted(own.glob("*.jpg"))] if own else photographs(folder / "samples")
    pool = cells(pictures, random)
    if len(pool) <= originals:
        raise ValueError(f"{len(pool)} parts of pictures are too few for {originals} originals and distractors")
    references, queries = folder / "references", folder / "queries"
    for one in (references, queries):
        one.mkdir(parents=True)
    for number, cell in enumerate(pool[:originals]):
        cell.save(references / f"original_{number:03d}.png")
        for kind, attack in enumerate(ATTACKS.values()):
            attack(cell, random).save(queries / f"{kind:02d}_{number:03d}.jpg", quality=85)
    for number in range(distractors):
        cell = pool[originals + number % (len(pool) - originals)]
        distractor(cell, random).save(references / f"distractor_{number:05d}.jpg", quality=90)
