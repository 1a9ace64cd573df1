"""What ``evaluate`` finds out: scores with their intervals, confusion, curves, mistakes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.train.curves import PrecisionRecall, Reliability
from visfeat.train.metrics import Interval


@dataclass(frozen=True)
class Mistake:
    """A file that was taken for another class, with the probability that the network gave to it."""

    uri: str
    label: str
    predicted: str
    probability: float
    at_s: float | None = None
    """Of a video: where the clip or frame begins that speaks most for the wrong class."""
    picture: NDArray[np.uint8] | None = field(default=None, repr=False, compare=False)
    """What the network saw there ``(H, W, 3)``; of a clip its middle frame."""


@dataclass(frozen=True)
class Evaluation:
    """What came out. A file counts once: the probabilities of its clips or frames are averaged."""

    run: str
    data: tuple[str, ...]
    split: str
    """val or test of the run's own data, "all" of other data."""
    files: int
    samples: int
    classes: tuple[str, ...]
    metrics: dict[str, Interval]
    of_class: dict[str, dict[str, float]] = field(default_factory=dict)
    """Class -> precision, recall, f1 and files."""
    confusion: tuple[tuple[int, ...], ...] = ()
    """Row the true class, column the predicted one; empty for several labels at once."""
    mistakes: tuple[Mistake, ...] = ()
    """The surest ones first."""
    reliability: Reliability | None = None
    """Of the likeliest class; of several labels at once, of each label's yes or no."""
    precision_recall: dict[str, PrecisionRecall] = field(default_factory=dict)
    """Class -> curve, of the classes that occur."""
    heads: dict[str, Evaluation] = field(default_factory=dict)
    """Of several label columns: one evaluation each; ``metrics`` has all of theirs."""
    rejected: tuple[tuple[str, str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``; without the pictures."""
        found = asdict(self)
        for one in (found, *found["heads"].values()):
            one["mistakes"] = [{k: v for k, v in mistake.items() if k != "picture"} for mistake in one["mistakes"]]
        return found
