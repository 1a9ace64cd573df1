"""Real labeled pictures as PNG files with a table of labels: Fashion-MNIST, digits, views of photographs."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.fashion_mnist import pictures_of
from visfeat.media.item import path_of
from visfeat.recipe import Recipe
from visfeat.samples import SAMPLES
from visfeat.store import FeatureStore
from visfeat.store.records import LayerShape, Rows, Status
from visfeat.store.runs import add_run

CLOTHES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
PHOTOGRAPHS = {"scikit-learn": ("sklearn/datasets/images/china.jpg", "sklearn/datasets/images/flower.jpg")}
"""Besides those of visfeat's samples."""
VIEWS, VIEW_PX = 24, 192
PIXELS_PX = 28
SMALL_SIFT_PX = 96
"""Of pictures of 28 pixels and less: enlarged for the patches of 16 and 32 pixels, but no more than helps."""


@dataclass(frozen=True)
class Labeled:
    """A folder of pictures, the table of their labels, and the side at which SIFT has enough to see, in pixels."""

    folder: Path
    table: Path
    sift_px: int


def fashion(folder: Path, data: Path, wanted: Mapping[str, int]) -> Labeled:
    """The first pictures of each split, which are in no order; ``wanted``: split -> how many."""
    rows = []
    for split, (pictures, labels) in pictures_of(data).items():
        number = wanted[split]
        for n, (picture, label) in enumerate(zip(pictures[:number], labels[:number], strict=True)):
            rows.append((f"{split}_{n:05}.png", Image.fromarray(picture), CLOTHES[label], split))
    return _written(folder, rows, SMALL_SIFT_PX)


def digits(folder: Path) -> Labeled:
    """The 1,797 digits of scikit-learn, 8 x 8 pixels; who wrote which is not known."""
    from sklearn.datasets import load_digits

    found = load_digits()
    pictures = (found.images * 255 / 16).round().astype(np.uint8)
    pairs = enumerate(zip(pictures, found.target, strict=True))
    return _written(
        folder, ((f"{n:04}.png", Image.fromarray(one), str(label), "") for n, (one, label) in pairs), SMALL_SIFT_PX
    )


def photographs(folder: Path) -> Labeled:
    """Views of each photograph, whose name is the class: other parts, turned, darker or lighter, smaller."""
    random = np.random.default_rng(0)
    rows = [
        (f"{source.stem}_{n:02}.png", view_of(source, random), source.stem, "")
        for source in _photographs()
        for n in range(VIEWS)
    ]
    return _written(folder, rows, VIEW_PX)


def view_of(source: Path, random: np.random.Generator) -> Image.Image:
    """A window of 20 to 50% of each side, turned by up to 40 degrees, at 0.4 to 2 times the brightness."""
    with Image.open(source) as image:
        whole = image.convert("RGB")
    turned = whole.rotate(random.uniform(-40, 40), Image.Resampling.BICUBIC)
    width, height = (round(side * random.uniform(0.2, 0.5)) for side in whole.size)
    left, top = round(random.uniform(0, whole.width - width)), round(random.uniform(0, whole.height - height))
    window = turned.crop((left, top, left + width, top + height)).resize((VIEW_PX, VIEW_PX), Image.Resampling.BICUBIC)
    gain = float(np.exp(random.uniform(np.log(0.4), np.log(2.0))))
    return window.point(lambda value: min(255, round(value * gain)))


def _photographs() -> list[Path]:
    """Those of visfeat's samples, and those of scikit-learn."""
    wanted = [(one.package, one.path) for one in SAMPLES if one.package == "scikit-image"]
    wanted += [(package, path) for package, paths in PHOTOGRAPHS.items() for path in paths]
    found = {entry.as_posix(): entry for package in {name for name, _ in wanted} for entry in files(package) or ()}
    return [Path(str(found[path].locate())) for _, path in wanted]


def _written(folder: Path, rows: Iterable[tuple[str, Image.Image, str, str]], sift_px: int) -> Labeled:
    """Write name, picture, label and split, unless the table, which is written last, is there."""
    pictures, table = folder / "pictures", folder / "labels.csv"
    if not table.is_file():
        pictures.mkdir(parents=True, exist_ok=True)
        lines = []
        for name, picture, label, split in rows:
            picture.save(pictures / name)
            lines.append((f"pictures/{name}", label, split))
        with table.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("uri", "label", "split"), *lines])
    return Labeled(pictures, table, sift_px)


def add_pixels(store: FeatureStore, name: str) -> None:
    """The 28 x 28 gray values of every picture of a store, from 0 to 1, as a recipe of their own."""
    recipe = Recipe(name=name, model="pixels/gray", weights_digest="none", layers=("pixels",), size=PIXELS_PX)
    known = store.outcomes(recipe.digest)
    items = {item.content_hash: uri for uri, item in store.known_items().items() if item.content_hash not in known}
    if not items:
        return
    layer = LayerShape("pixels", (PIXELS_PX**2,))
    started = time.perf_counter()
    with store.writer(recipe, layers=[layer], facts={"engine": "Pillow"}, card_toml='name = "pixels/gray"\n') as writer:
        for content_hash, uri in items.items():
            nothing = np.full(1, np.nan)
            values = _pixels(Path(path_of(uri)))[None]
            writer.add(Rows(content_hash, "pixels", 0, values, nothing, nothing, np.full(1, -1)))
            writer.finish_content(content_hash, Status.DONE, 1)
    add_run(store.path, recipe.digest, rows=len(items), seconds=time.perf_counter() - started, recipes=1)


def _pixels(path: Path) -> NDArray[np.float32]:
    with Image.open(path) as image:
        small = image.convert("L").resize((PIXELS_PX, PIXELS_PX), Image.Resampling.BICUBIC)
    return np.asarray(small, np.float32).reshape(-1) / 255
