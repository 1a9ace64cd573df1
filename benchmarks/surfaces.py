"""Which piece of which surface is it? The task in which hand-made features are better than a network of kinds.

    python -m benchmarks.surfaces

70 pieces of 110 x 110 pixels are cut out of five sample photographs (a brick wall, grass, gravel, stars, coins). Each
is shown again, from nearer, turned and darker, turned by a quarter, and as a JPEG of quality 20; counted is how often
its own piece is the nearest of all by cosine. A network that knows kinds sees five kinds. The vocabularies of SIFT are
learned from the other samples, which show none of these.
"""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

import visfeat as vf
from visfeat.extraction.learn_words import learn_words
from visfeat.pool import unit_length
from visfeat.samples import SAMPLES, write_samples

PHOTOGRAPHS = ("brick.png", "grass.png", "gravel.png", "hubble.jpg", "coins.png")
SIDE_PX, MARGIN_PX, MOST = 110, 20, 16
RECIPES = (
    ("classic/hog", "hog"),
    ("classic/lbp", "lbp"),
    ("classic/color_histogram", "hsv"),
    ("classic/phash", "phash"),
    ("classic/sift_bow", "grid"),
    ("classic/sift_bow", "keypoints"),
    ("classic/sift_vlad", "grid"),
    ("classic/sift_vlad", "keypoints"),
    ("classic/sift_fisher", "grid"),
    ("classic/sift_fisher", "keypoints"),
    ("bundled/efficientnet_lite0", None),
    ("bundled/efficientnet_lite0", "blocks.3"),
)
"""Model and layer, None for its own."""


@dataclass(frozen=True)
class Piece:
    """A square of a photograph around a point."""

    photograph: Image.Image
    x: int
    y: int

    def seen(self, *, turned_deg: float = 0, zoom: float = 1, brightness: float = 1) -> Image.Image:
        """The piece as it is, turned around its center, from nearer (a part of its side), darker."""
        turned = self.photograph.rotate(turned_deg, center=(self.x, self.y), resample=Image.Resampling.BICUBIC)
        half = int(SIDE_PX / 2 * zoom)
        cut = turned.crop((self.x - half, self.y - half, self.x + half, self.y + half))
        return ImageEnhance.Brightness(cut).enhance(brightness)


def pieces(folder: Path) -> list[Piece]:
    """At most 16 pieces of each photograph, side by side, away from its edges."""
    found = []
    for name in PHOTOGRAPHS:
        photograph = Image.open(folder / name).convert("RGB")
        first = MARGIN_PX + SIDE_PX // 2
        places = [
            (x, y)
            for y in range(first, photograph.height - first, SIDE_PX)
            for x in range(first, photograph.width - first, SIDE_PX)
        ]
        found += [Piece(photograph, x, y) for x, y in places[:MOST]]
    return found


def as_jpeg(picture: Image.Image) -> Image.Image:
    """Written with quality 20 and read again."""
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=20)
    return Image.open(data).convert("RGB")


def queries(all_pieces: list[Piece]) -> dict[str, list[Image.Image]]:
    """How the pieces are shown again."""
    return {
        "from nearer (0.8)": [one.seen(zoom=0.8) for one in all_pieces],
        "turned by 15 degrees, nearer (0.9), darker (0.7)": [
            one.seen(turned_deg=15, zoom=0.9, brightness=0.7) for one in all_pieces
        ],
        "turned by 90 degrees": [one.seen(turned_deg=90) for one in all_pieces],
        "JPEG, quality 20": [as_jpeg(one.seen()) for one in all_pieces],
    }


def learn_others(folder: Path) -> dict[str, str]:
    """Model of SIFT -> a vocabulary of the samples from which no piece is cut."""
    others = [folder / one.name for one in SAMPLES if one.name not in PHOTOGRAPHS]
    files = {}
    for model in sorted({model for model, _ in RECIPES if "/sift" in model}):
        files[model] = str(folder / f"{Path(model).name}.safetensors")
        learn_words(others, model=model).vocabulary.save(files[model])
    return files


def rows(extractor: vf.Extractor, pictures: list[Image.Image]) -> NDArray[np.floating]:
    """Vectors of unit length ``(N, D)``."""
    return unit_length(np.asarray(extractor(pictures)))


def main() -> int:
    """Print the share of pieces that are found, for every model and layer."""
    with tempfile.TemporaryDirectory() as scratch:
        write_samples(Path(scratch))
        all_pieces = pieces(Path(scratch))
        words = learn_others(Path(scratch))
        extractors = [vf.Extractor(model, layers=layer, weights=words.get(model)) for model, layer in RECIPES]
    asked = queries(all_pieces)
    print(f"| of {len(all_pieces)} pieces found, % | {' | '.join(asked)} |\n|---|{'---|' * len(asked)}")
    for extractor, (model, layer) in zip(extractors, RECIPES, strict=True):
        known = rows(extractor, [one.seen() for one in all_pieces])
        found = [
            np.mean(np.argmax(rows(extractor, pictures) @ known.T, axis=1) == np.arange(len(all_pieces)))
            for pictures in asked.values()
        ]
        name = f"`{model}`" + (f", `{layer}`" if layer else "")
        print(f"| {name} | " + " | ".join(f"{100 * share:.0f}" for share in found) + " |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
