"""How close ``--preprocess fast`` comes to ``reference``: cosines of the bundled network's features.

Two sets. *Formats*: every sample photograph in every format that is decoded at full size. *Large*: mosaics of the
sample photographs of 12 megapixels and more, detailed to the last pixel, at two chroma subsamplings, which ``fast``
decodes at a half, a quarter or an eighth of their size. Run: python -m benchmarks.fidelity
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visfeat import Extractor
from visfeat.samples import SAMPLES, write_samples

LARGE_PX = ((4096, 3072), (4608, 3456), (6000, 4000), (9216, 9216))
"""Width and height; the last is decoded at a quarter."""

FORMATS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("jpeg 4:2:0", "jpg", {"quality": 90, "subsampling": 2}),
    ("jpeg 4:4:4", "jpg", {"quality": 90, "subsampling": 0}),
    ("jpeg progressive", "jpg", {"quality": 85, "progressive": True}),
    ("jpeg grey", "jpg", {"mode": "L"}),
    ("jpeg CMYK", "jpg", {"mode": "CMYK"}),
    ("png", "png", {}),
    ("png palette", "png", {"mode": "P"}),
    ("png alpha", "png", {"mode": "RGBA"}),
    ("webp", "webp", {"quality": 85}),
    ("gif", "gif", {}),
    ("bmp", "bmp", {}),
    ("tiff", "tiff", {}),
    ("avif", "avif", {"quality": 80}),
)


def main() -> int:
    """Print a table a set: number of pictures, median and least cosine."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="only the smallest of the large sizes")
    sizes = LARGE_PX[:1] if parser.parse_args().fast else LARGE_PX
    with TemporaryDirectory() as name:
        folder = Path(name)
        originals = {sample.name for sample in SAMPLES}
        photographs = [path for path in write_samples(folder / "samples") if _is_photograph(path, originals)]
        fast, reference = Extractor(preprocess="fast"), Extractor(preprocess="reference")
        print(f"{'set':<28} {'pictures':>8} {'median':>9} {'least':>9}")
        for title, paths in chain(in_formats(photographs, folder), large(photographs, folder, sizes)):
            cosines = cosine(fast(paths), reference(paths))
            print(f"{title:<28} {len(paths):>8} {np.median(cosines):>9.6f} {cosines.min():>9.6f}")
            for path in paths:
                path.unlink()
    return 0


def cosine(one: object, other: object) -> NDArray[np.float64]:
    """Cosine of each row of one matrix with the same row of the other."""
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    return (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def in_formats(photographs: list[Path], folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """The photographs in each format."""
    for title, ending, settings in FORMATS:
        options = {name: value for name, value in settings.items() if name != "mode"}
        mode = str(settings.get("mode", "RGB"))
        paths = []
        for path in photographs:
            target = folder / f"{path.stem}.{ending}"
            Image.open(path).convert("RGB").convert(mode).save(target, **options)
            paths.append(target)
        yield title, paths


def large(
    photographs: list[Path], folder: Path, sizes: tuple[tuple[int, int], ...]
) -> Iterator[tuple[str, list[Path]]]:
    """Mosaics of each size and subsampling, each beginning with another photograph."""
    tiles = [Image.open(path).convert("RGB") for path in photographs]
    for size in sizes:
        for name, subsampling in (("4:2:0", 2), ("4:4:4", 0)):
            paths = []
            for number in range(len(tiles)):
                target = folder / f"large-{number}.jpg"
                mosaic(tiles[number:] + tiles[:number], size).save(target, quality=92, subsampling=subsampling)
                paths.append(target)
            yield f"{size[0]} x {size[1]} {name}", paths


def mosaic(tiles: list[Image.Image], size: tuple[int, int]) -> Image.Image:
    """A picture filled with tiles, row after row, none resized."""
    picture = Image.new("RGB", size)
    left = top = height = number = 0
    while top < size[1]:
        tile = tiles[number % len(tiles)]
        picture.paste(tile, (left, top))
        left, height, number = left + tile.width, max(height, tile.height), number + 1
        if left >= size[0]:
            left, top, height = 0, top + height, 0
    return picture


def _is_photograph(path: Path, originals: set[str]) -> bool:
    return path.name in originals and path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")


if __name__ == "__main__":
    sys.exit(main())
