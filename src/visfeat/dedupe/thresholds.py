"""From which cosine on two rows show the same: by a table, from one's own data, or as said.

The table was made by ``python -m benchmarks.copies --calibrate`` on copies of real pictures and videos among many
others: the smallest cosine at which at least 99% of the pairs found are copies, and 0.03 more, as collections are
larger than the benchmark's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visfeat.dedupe.contents import Longs
from visfeat.errors import UsageError
from visfeat.store.selection import Space

Threshold = float | Literal["auto"] | None


@dataclass(frozen=True)
class Calibrated:
    """The cosines from which on two pictures, and two rows of videos, count as the same."""

    picture: float
    video: float


TABLE: dict[tuple[str, str, str, int, str], Calibrated] = {
    ("bundled/efficientnet_lite0", "blocks.2", "flatten", 48, "squash"): Calibrated(0.74, 0.69),
    ("bundled/efficientnet_lite0", "global_pool", "none", 224, "squash"): Calibrated(0.97, 0.97),
    ("bundled/efficientnet_lite0", "global_pool", "none", 224, "crop"): Calibrated(0.97, 0.97),
    ("classic/phash", "phash", "none", 32, "squash"): Calibrated(
        1 - 10 / 32, 1 - 10 / 32
    ),  # 10 of 64 bits, as is usual
}
"""Model, layer, pooling, input side in pixels and fit -> thresholds.

The network's last layer says what a picture means: at a cosine where others no longer reach, it finds one copy in
fifty of the benchmark's. It was measured on pictures alone, with 0.965.
"""

RARE = 0.001
"""How often a picture without a copy may have a neighbor above an automatic threshold."""
LARGEST = 0.995
SAMPLED_ROWS = 2000
_LOW, _MIDDLE = 0.1, 0.3


def calibrated(space: Space) -> Calibrated | None:
    """The thresholds of a space, None where nobody measured them: for its model, layer, pooling, input size and fit."""
    recipe, layer = space.stored.recipe, space.layer.layer
    pools = recipe.pool if isinstance(recipe.pool, tuple) else (recipe.pool or "none",) * len(recipe.layers or ())
    pool = dict(zip(recipe.layers or (), pools, strict=True)).get(layer, "none")
    is_other = recipe.crop or recipe.crops or recipe.temporal or len(set(recipe.input_size_px or (0, 1))) > 1
    side = 0 if is_other or recipe.input_size_px is None else recipe.input_size_px[0]
    return TABLE.get((recipe.model, layer, pool, side, recipe.fit or "crop"))


def checked(threshold: float) -> float:
    """A threshold that somebody said; raises UsageError where it is no cosine of things that are alike."""
    if not 0 < threshold <= 1:
        raise UsageError(f"--threshold {threshold:g}: a cosine more than 0, at most 1, or auto")
    return threshold


def uncalibrated(space: Space) -> UsageError:
    """What to say where a threshold is needed and nobody measured one."""
    return UsageError(
        f"{space}: nobody measured from which cosine on such vectors show the same; say --threshold auto, or "
        "--threshold with a number such as 0.9"
    )


def usual_neighbor(values: NDArray[np.float32], owner: Longs | None = None, seed: int = 0) -> NDArray[np.float32]:
    """The largest cosine to another row of up to 2,000 rows drawn of ``values`` (N, D), float32.

    ``owner``: whose each row is; rows of the same owner do not count as others.
    """
    whose = np.arange(len(values)) if owner is None else owner
    random = np.random.default_rng(seed)
    drawn = np.sort(random.choice(len(values), min(len(values), SAMPLED_ROWS), replace=False))
    found = np.full(len(drawn), -np.inf, np.float32)
    for start in range(0, len(values), SAMPLED_ROWS):
        part = slice(start, start + SAMPLED_ROWS)
        cosine = values[drawn] @ values[part].T
        cosine[whose[drawn][:, None] == whose[part][None]] = -np.inf
        np.maximum(found, cosine.max(axis=1), out=found)
    return found[np.isfinite(found)]


def automatic(neighbors: NDArray[np.float32]) -> float:
    """The cosine that the nearest neighbor of a picture without a copy reaches once in a thousand pictures.

    The nearest of many neighbors is the largest of many cosines, and the largest of many numbers follows Gumbel's
    distribution. It is fitted to the cosines' quantiles of 10% and 30%, which copies hardly move as long as fewer than
    a third of the pictures have one; its quantile of 99.9% is the threshold, at most 0.995. Raises UsageError for fewer
    than 20 neighbors.
    """
    if len(neighbors) < 20:
        raise UsageError(
            f"--threshold auto: {len(neighbors)} to learn from are too few (20 at least); say a number such as 0.9"
        )
    low, middle = np.quantile(neighbors, [_LOW, _MIDDLE])
    scale = (middle - low) / (np.log(-np.log(_LOW)) - np.log(-np.log(_MIDDLE)))
    location = middle + scale * np.log(-np.log(_MIDDLE))
    return float(min(location - scale * np.log(-np.log(1 - RARE)), LARGEST))
