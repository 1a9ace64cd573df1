"""Copies of pictures among many others: how many are found, and how many found are copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.copied_pictures import ATTACKS, MIRROR, write_pictures
from benchmarks.copy_scores import average_precision
from visfeat.dedupe.contents import pictures
from visfeat.dedupe.thresholds import calibrated
from visfeat.extraction.run import extract_many
from visfeat.presets import COPIES, presets
from visfeat.store.feature_store import FeatureStore

Scores = NDArray[np.floating[Any]]
PHASH_DISTANCE, PDQ_DISTANCE = 10, 31
"""Bits in which the same picture differs at most: of 64 as usual for ImageHash, of 256 as ThreatExchange has it."""
WANTED_PRECISION = 0.99
SEED = 20260601


@dataclass(frozen=True)
class Method:
    """How alike each query and each reference are, and from where on they count as the same."""

    name: str
    scores: Scores
    threshold: float


@dataclass(frozen=True)
class Truth:
    """Of each query its attack and original, of each reference its original, -1 for a distractor."""

    attack: NDArray[np.int64]
    original: NDArray[np.int64]
    reference: NDArray[np.int64]

    @classmethod
    def of(cls, queries: Sequence[Path], references: Sequence[Path]) -> Truth:
        """By the names that ``write_pictures`` gives."""
        parts = np.array([[int(part) for part in path.stem.split("_")] for path in queries])
        known = [int(path.stem.split("_")[1]) if path.stem.startswith("original") else -1 for path in references]
        return cls(parts[:, 0], parts[:, 1], np.array(known))

    @property
    def is_copy(self) -> NDArray[np.bool_]:
        """Which pairs are copies, bool ``(Q, R)``."""
        return self.original[:, None] == self.reference[None]


def measure_pictures(
    folder: Path, *, originals: int, distractors: int, model: str | None = None, own: Path | None = None
) -> dict[str, Any]:
    """Make the pictures, extract, compare; prints a table and returns its figures."""
    write_pictures(folder, originals=originals, distractors=distractors, seed=SEED, own=own)
    truth, methods = compared(folder, model)
    print(f"\n{len(truth.attack)} copies of {originals} pictures among {distractors} others")
    figures = {method.name: _figures(method, truth) for method in methods}
    _print(figures)
    return figures


def compared(folder: Path, model: str | None = None) -> tuple[Truth, list[Method]]:
    """What the features and the hashes that are installed say of each query and reference."""
    queries, references = (sorted((folder / name).iterdir()) for name in ("queries", "references"))
    values, threshold = _features(folder, model)
    methods = [Method("visfeat", values["queries"] @ values["references"].T, threshold)]
    methods.append(
        Method(
            "visfeat, mirrored", np.maximum(methods[0].scores, values["mirrored"] @ values["references"].T), threshold
        )
    )
    for name, hashed, threshold in _hashes():
        bits = [np.stack([hashed(path) for path in paths]) for paths in (queries, references)]
        methods.append(Method(name, -(bits[0][:, None] != bits[1][None]).sum(axis=2).astype(float), -threshold))
    return Truth.of(queries, references), methods


def _features(folder: Path, model: str | None) -> tuple[dict[str, Scores], float]:
    """Rows of queries, of queries in a mirror and of references, in the order of their names, and the threshold."""
    straight, turned = presets(f"{COPIES}+mirrored", {"model": model})
    found: dict[str, Scores] = {}
    for name, recipes in (("queries", [straight, turned]), ("references", [straight])):
        store = folder / f"{name}.vf"
        runs = extract_many(folder / name, recipes, store=store)
        opened = FeatureStore.open(store)
        for run, key in zip(runs, (name, "mirrored"), strict=False):
            rows = pictures(opened.reader(recipe=run.recipe.digest))
            order = np.argsort([uris[0] for uris in rows.uris])
            found[key] = rows.values[order]
    measured = calibrated(opened.reader(recipe=runs[0].recipe.digest).space)
    return found, 0.9 if measured is None else measured.picture


def _hashes() -> list[tuple[str, Callable[[Path], NDArray[np.bool_]], float]]:
    found: list[tuple[str, Callable[[Path], NDArray[np.bool_]], float]] = []
    try:
        import imagehash

        found.append(("pHash", lambda path: imagehash.phash(_rgb(path)).hash.ravel(), PHASH_DISTANCE))
    except ModuleNotFoundError:
        print("pHash is left out: pip install ImageHash")
    try:
        import pdqhash

        def pdq(path: Path) -> NDArray[np.bool_]:
            bits, _ = pdqhash.compute(np.asarray(_rgb(path)))
            return np.asarray(bits, bool)

        found.append(("PDQ", pdq, PDQ_DISTANCE))
    except ModuleNotFoundError:
        print("PDQ is left out: pip install pdqhash")
    return found


def _rgb(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _figures(method: Method, truth: Truth) -> dict[str, Any]:
    """Precision and recall of each attack, and of all without the mirror; micro-average precision."""
    found, is_copy = method.scores >= method.threshold, truth.is_copy
    figures: dict[str, Any] = {"threshold": method.threshold}
    for number, name in enumerate(ATTACKS):
        figures[name] = _precision_recall(found[truth.attack == number], is_copy[truth.attack == number])
    plain = truth.attack != list(ATTACKS).index(MIRROR)
    figures["all but the mirror"] = _precision_recall(found[plain], is_copy[plain])
    figures["micro-average precision"] = _average_precision(method.scores[plain], is_copy[plain])
    return figures


def _precision_recall(found: NDArray[np.bool_], is_copy: NDArray[np.bool_]) -> tuple[float, float]:
    right = int((found & is_copy).sum())
    return right / max(1, int(found.sum())) if found.any() else 1.0, right / int(is_copy.sum())


def _average_precision(scores: Scores, is_copy: NDArray[np.bool_]) -> float:
    return average_precision(scores.ravel().tolist(), is_copy.ravel().tolist(), int(is_copy.sum()))


def _print(figures: dict[str, dict[str, Any]]) -> None:
    """A line an attack, precision and recall of each method."""
    names = list(figures)
    print(f"{'precision / recall':26s}" + "".join(f"{name:>20s}" for name in names))
    for row in next(iter(figures.values())):
        cells = []
        for name in names:
            value = figures[name][row]
            cells.append(f"{value[0]:.3f} / {value[1]:.3f}" if isinstance(value, tuple) else f"{value:.3f}")
        print(f"{row:26s}" + "".join(f"{cell:>20s}" for cell in cells))


def calibrate_pictures(folder: Path, model: str | None = None) -> float:
    """The smallest cosine in hundredths from which on 99% of the pairs found are copies; prints those around it."""
    truth, methods = compared(folder, model)
    plain = truth.attack != list(ATTACKS).index(MIRROR)
    scores, is_copy = methods[0].scores[plain], truth.is_copy[plain]
    best = 1.0
    for threshold in np.arange(0.99, 0.49, -0.01):
        precision, recall = _precision_recall(scores >= threshold, is_copy)
        print(f"cosine {threshold:.2f}: precision {precision:.4f}, recall {recall:.4f}")
        if precision < WANTED_PRECISION:
            break
        best = round(float(threshold), 2)
    print(f"picture threshold: {best:.2f}")
    return best
