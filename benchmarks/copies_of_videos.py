"""Copies of videos among others: how many are found, how many found are copies, and where their passages lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.copied_pictures import MIRROR
from benchmarks.copied_videos import COPIES as KINDS
from benchmarks.copied_videos import write_videos
from benchmarks.copies_of_pictures import PHASH_DISTANCE
from benchmarks.copy_scores import Match, average_precision, boundary_errors_s, passage_average_precision
from visfeat.dedupe.found import Passage
from visfeat.dedupe.run import dedupe
from visfeat.dedupe.thresholds import Threshold
from visfeat.extraction.run import extract_many
from visfeat.presets import COPIES, presets
from visfeat.recipe import Recipe
from visfeat.store.feature_store import FeatureStore

SEED = 20260602
PHASH = "pHash"
"""Rows of 64 bits of a frame, aligned as all others are."""
WANTED_PRECISION = 0.99
Truth = Sequence[tuple[str, Match]]


def measure_videos(
    folder: Path, *, originals: int, distractors: int, model: str | None = None
) -> tuple[dict[str, Any], Truth]:
    """Make the videos, extract, look for passages; prints a table and returns its figures, and the truth."""
    truth = write_videos(folder, originals=originals, distractors=distractors, seed=SEED)
    extracted(folder, "visfeat", presets(f"{COPIES}+mirrored", {"model": model}))
    # The hash as it is known, without what the preset does to borders.
    extracted(folder, PHASH, [one.but(trim=None) for one in presets(COPIES, {"model": "classic/phash"})])
    print(f"\n{len(truth)} copies of {originals} videos among {distractors} others")
    found = {
        "visfeat": matches(folder, mirrored=False),
        "visfeat, mirrored": matches(folder, mirrored=True),
        PHASH: matches(folder, mirrored=False, threshold=1 - PHASH_DISTANCE / 32, method=PHASH),
    }
    figures = {name: figures_of(one, truth) for name, one in found.items()}
    _print(figures)
    return figures, truth


def extracted(folder: Path, method: str, recipes: Sequence[Recipe]) -> None:
    """The rows of queries and references; of a second recipe, in a mirror, those of queries alone."""
    extract_many(folder / "queries", recipes, store=folder / f"queries_{method}.vf")
    extract_many(folder / "references", recipes[:1], store=folder / f"references_{method}.vf")


def matches(folder: Path, *, mirrored: bool, threshold: Threshold = None, method: str = "visfeat") -> list[Match]:
    """What queries and references have in common."""
    queries, references = (FeatureStore.open(folder / f"{name}_{method}.vf") for name in ("queries", "references"))
    found = dedupe(queries, against=references, mirrored=mirrored, threshold=threshold)
    return [_match(one) for one in found.passages if Path(one.second.uri).parent.name == "references"]


def _match(one: Passage) -> Match:
    return Match(
        Path(one.first.uri).name,
        Path(one.second.uri).name,
        (one.first.start_s, one.first.end_s),
        (one.second.start_s, one.second.end_s),
        one.score,
    )


def figures_of(found: Sequence[Match], truth: Truth) -> dict[str, Any]:
    """Precision, recall and the median and largest boundary error of each kind of copy, and of all but the mirror."""
    figures: dict[str, Any] = {
        kind: _of_kind([one for one in found if one.query in queries], wanted)
        for kind in KINDS
        for wanted in [[match for name, match in truth if name == kind]]
        for queries in [{one.query for one in wanted}]
    }
    wanted = [match for name, match in truth if name != MIRROR]
    queries = {one.query for one in wanted}
    plain = [one for one in found if one.query in queries]
    figures["all but the mirror"] = _of_kind(plain, wanted)
    figures["micro-average precision of pairs"] = _pair_precision(plain, wanted)
    figures["micro-average precision of passages"] = passage_average_precision(plain, wanted)
    return figures


def _of_kind(found: Sequence[Match], wanted: Sequence[Match]) -> dict[str, float]:
    """Of pairs of videos: precision and recall; of the passages found: errors of their boundaries in seconds."""
    true_pairs = {(one.query, one.reference) for one in wanted}
    pairs = {(one.query, one.reference) for one in found}
    right = len(pairs & true_pairs)
    errors = boundary_errors_s(found, wanted)
    return {
        "precision": right / len(pairs) if pairs else 1.0,
        "recall": right / len(true_pairs),
        "median_error_s": float(np.median(errors)) if errors else float("nan"),
        "p90_error_s": float(np.quantile(errors, 0.9)) if errors else float("nan"),
    }


def _pair_precision(found: Sequence[Match], wanted: Sequence[Match]) -> float:
    best: dict[tuple[str, str], float] = {}
    for one in found:
        pair = one.query, one.reference
        best[pair] = max(best.get(pair, 0.0), one.score)
    true_pairs = {(one.query, one.reference) for one in wanted}
    return average_precision(list(best.values()), [pair in true_pairs for pair in best], len(true_pairs))


def _print(figures: dict[str, dict[str, Any]]) -> None:
    names = list(figures)
    print(f"{'precision / recall, errors':36s}" + "".join(f"{name:>40s}" for name in names))
    for row in next(iter(figures.values())):
        cells = []
        for name in names:
            value = figures[name][row]
            if isinstance(value, dict):
                errors = f"median {value['median_error_s']:.2f}, 90% {value['p90_error_s']:.2f} s"
                cells.append(f"{value['precision']:.3f} / {value['recall']:.3f}  {errors}")
            else:
                cells.append(f"{value:.3f}")
        print(f"{row:36s}" + "".join(f"{cell:>40s}" for cell in cells))


def calibrate_videos(folder: Path, truth: Truth) -> float:
    """The smallest cosine, in hundredths, from which on 99% of the pairs found are copies; prints what is around it."""
    best = 1.0
    for threshold in np.arange(0.96, 0.59, -0.02):
        found = matches(folder, mirrored=False, threshold=float(threshold))
        all_kinds = figures_of(found, truth)
        figures = all_kinds["all but the mirror"]
        passages = all_kinds["micro-average precision of passages"]
        print(
            f"cosine {threshold:.2f}: precision {figures['precision']:.4f}, recall {figures['recall']:.4f}, errors "
            f"{figures['median_error_s']:.2f} s, micro-average precision of passages {passages:.4f}"
        )
        if figures["precision"] < WANTED_PRECISION - 0.2:
            break
        if figures["precision"] >= WANTED_PRECISION:
            best = round(float(threshold), 2)
    print(f"video threshold: {best:.2f}")
    return best
