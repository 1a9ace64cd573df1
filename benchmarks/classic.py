"""The hand-made features beside plain loops over the libraries that have them, picture by picture in one process.

    python -m benchmarks.classic [--folder DIR] [--pictures 200] [--repetitions 3] [--json FILE]

A loop opens a JPEG with Pillow, resizes it to the model's own size and calls scikit-image (``hog``,
``local_binary_pattern``, ``fisher_vector``), OpenCV (``calcHist``, SIFT on the same grid) or ImageHash; nearest words
are found by scikit-learn. visfeat's seconds cover all that ``extract`` does, into a fresh store, with all cores. Both
are seconds of the clock, best of the repetitions in turn; seconds of CPU stand beside them, since other work on the
machine slows the one more than the other. ``cosine`` compares the rows of both: they must be the same work.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.feature import fisher_vector, local_binary_pattern
from skimage.feature import hog as hog_of
from sklearn.metrics import pairwise_distances_argmin
from sklearn.mixture import GaussianMixture

import visfeat as vf
from benchmarks.child import ROOT
from benchmarks.corpus import default_corpus
from benchmarks.machine import describe_machine, warn_if_busy
from visfeat.card import InputSpec
from visfeat.models.classic.vocabulary import Vocabulary, bundled_path, load_vocabulary
from visfeat.models.registry import load_model

Vector = NDArray[np.floating]
Described = Callable[[NDArray[np.uint8]], Vector]
"""From a resized picture uint8 ``(H, W, 3)`` to a vector."""

GRID = [
    cv2.KeyPoint(x, y, side / 6, 0) for side in (16, 32) for y in range(side // 2, 257 - side // 2, 8)
    for x in range(side // 2, 257 - side // 2, 8)
]  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One model: seconds of the clock and of CPU for all pictures, and the median cosine between both sides' rows."""

    model: str
    own_s: float
    loop_s: float
    own_cpu_s: float
    loop_cpu_s: float
    cosine: float

    @property
    def ratio(self) -> float:
        """How many times as fast as the loop, by the clock."""
        return self.loop_s / self.own_s


def hog(picture: NDArray[np.uint8]) -> Vector:
    """scikit-image's, 8 x 8 cells."""
    return np.asarray(hog_of(picture, 9, (16, 16), (2, 2), channel_axis=-1))


def lbp(picture: NDArray[np.uint8]) -> Vector:
    """scikit-image's codes at three scales, all pixels."""
    grey = np.asarray(Image.fromarray(picture).convert("L"))
    codes = [local_binary_pattern(grey, p, r, "uniform").astype(int).ravel() for p, r in ((8, 1), (16, 2), (24, 3))]
    return np.sqrt(
        np.concatenate([np.bincount(one, minlength=size) for one, size in zip(codes, (10, 18, 26), strict=True)])
    )


def color_histogram(picture: NDArray[np.uint8]) -> Vector:
    """OpenCV's, without the bins of grey."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    return np.asarray(np.sqrt(cv2.calcHist([hsv], [0, 1, 2], None, [18, 3, 3], [0, 180, 0, 256, 0, 256]).ravel()))


def phash(picture: NDArray[np.uint8]) -> Vector:
    """ImageHash's."""
    return np.where(imagehash.phash(Image.fromarray(picture)).hash.ravel(), 1.0, -1.0)


def _descriptors(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    _, found = cv2.SIFT_create().compute(grey, GRID)
    return np.sqrt(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-7))


def words(vocabulary: Vocabulary) -> Described:
    """SIFT and counts of the nearest words."""
    centers = vocabulary.arrays["grid.centers"].astype(np.float32)
    idf = vocabulary.arrays["grid.idf"]
    return lambda picture: np.bincount(pairwise_distances_argmin(_descriptors(picture), centers), minlength=256) * idf


def vlad(vocabulary: Vocabulary) -> Described:
    """SIFT and a sum of residuals for each center."""
    centers = vocabulary.arrays["grid.centers"].astype(np.float32)

    def describe(picture: NDArray[np.uint8]) -> Vector:
        found = _descriptors(picture)
        nearest = pairwise_distances_argmin(found, centers)
        sums = np.stack([(found[nearest == k] - center).sum(axis=0) for k, center in enumerate(centers)]).ravel()
        return np.asarray(np.sign(sums) * np.sqrt(np.abs(sums)))

    return describe


def fisher(vocabulary: Vocabulary) -> Described:
    """SIFT and scikit-image's improved Fisher vector of its principal components."""
    mean, basis, weights, means, sigmas = (
        vocabulary.arrays[f"grid.{name}"].astype(np.float64) for name in ("mean", "basis", "weights", "means", "sigmas")
    )
    mixture = GaussianMixture(len(weights), covariance_type="diag")
    mixture.weights_, mixture.means_, mixture.covariances_ = weights, means, sigmas**2
    mixture.precisions_cholesky_ = 1 / sigmas

    def describe(picture: NDArray[np.uint8]) -> Vector:
        values = (_descriptors(picture) - mean) @ basis.T
        # The gradient by the weights is no part of the improved vector; that by deviations has the other sign.
        by_mean, by_sigma = np.split(fisher_vector(values, mixture, improved=True)[len(weights) :], 2)
        return np.concatenate([by_mean, -by_sigma])

    return describe


def loops() -> dict[str, Described]:
    """Model -> what the loop calls for each picture."""
    learned = {name: load_vocabulary(bundled_path(name), name) for name in ("sift_bow", "sift_vlad", "sift_fisher")}
    return {
        "hog": hog,
        "lbp": lbp,
        "color_histogram": color_histogram,
        "phash": phash,
        "sift_bow": words(learned["sift_bow"]),
        "sift_vlad": vlad(learned["sift_vlad"]),
        "sift_fisher": fisher(learned["sift_fisher"]),
    }


def run_loop(describe: Described, paths: Sequence[Path], spec: InputSpec) -> NDArray[np.floating]:
    """The plain loop: a row a picture."""
    size, filter_ = spec.size_px[::-1], Image.Resampling[spec.interpolation.upper()]
    rows = []
    for path in paths:
        with Image.open(path) as image:
            rows.append(describe(np.asarray(image.convert("RGB").resize(size, filter_))))
    return np.stack(rows)


def run_own(model: str, paths: Sequence[Path]) -> NDArray[np.floating]:
    """``visfeat.extract`` into a fresh store; the rows are read after the clock has stopped."""
    with tempfile.TemporaryDirectory() as scratch:
        vf.extract(paths, store=Path(scratch) / "s.vf", model=f"classic/{model}")
        values, meta = vf.open_store(Path(scratch) / "s.vf").features()
    order = np.argsort([Path(uri).name for uri in meta["uri"].to_pylist()])
    return np.asarray(values)[order]


def measure(model: str, describe: Described, paths: Sequence[Path], repetitions: int) -> Line:
    """Both sides in turn; the first pictures warm both up."""
    spec = load_model(f"classic/{model}").card.input
    sides = (lambda some: run_own(model, some), lambda some: run_loop(describe, some, spec))
    for side in sides:
        side(paths[:8])
    clock: tuple[list[float], list[float]] = [], []
    cpu: tuple[list[float], list[float]] = [], []
    rows: list[NDArray[np.floating]] = []
    for _ in range(repetitions):
        rows = []
        for number, side in enumerate(sides):
            started, used = time.perf_counter(), time.process_time()
            rows.append(side(paths))
            clock[number].append(time.perf_counter() - started)
            cpu[number].append(time.process_time() - used)
    cosine = float("nan") if rows[0].shape != rows[1].shape else float(np.median(_cosines(*rows)))
    best = [min(times) for times in (*clock, *cpu)]
    return Line(model, best[0], best[1], best[2], best[3], cosine)


def _cosines(left: NDArray[np.floating], right: NDArray[np.floating]) -> NDArray[np.floating]:
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return np.asarray((left * right).sum(axis=1) / lengths)


def to_markdown(lines: Sequence[Line], pictures: int) -> str:
    """A table, a line a model."""
    head = "| model | visfeat, pictures/s | loop, pictures/s | ratio | CPU ms a picture: visfeat, loop | cosine |"
    rows = [
        f"| classic/{one.model} | {pictures / one.own_s:.0f} | {pictures / one.loop_s:.0f} | {one.ratio:.1f} | "
        f"{one.own_cpu_s / pictures * 1e3:.1f}, {one.loop_cpu_s / pictures * 1e3:.1f} | {one.cosine:.4f} |"
        for one in lines
    ]
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def main() -> int:
    """Measure and print; the figures and the machine as JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="JPEGs of your own instead of the default corpus")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--models", nargs="*", default=list(loops()))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    paths = sorted((options.folder or default_corpus(ROOT / "build")).glob("*.jp*g"))[: options.pictures]
    machine = describe_machine()
    warn_if_busy()
    lines = []
    for model, describe in loops().items():
        if model in options.models:
            lines.append(measure(model, describe, paths, options.repetitions))
            print(lines[-1], file=sys.stderr)
    print(to_markdown(lines, len(paths)))
    if options.json:
        figures = {"machine": machine, "pictures": len(paths), "lines": [asdict(line) for line in lines]}
        options.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
