"""What ``evaluate`` finds out: scores with their intervals, confusion, curves, mistakes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from visfeat.train.curves import PrecisionRecall, Reliability
from visfeat.train.metrics import Interval


@dataclass(frozen=True)
class Mistake:
    """A file that was taken for another class, or of several labels at once one that is wrong."""

    uri: str
    label: str
    """What the file is; empty of a label that is not there."""
    predicted: str
    """What it was taken for; empty of a label that was missed."""
    probability: float
    """That the network gave to its wrong answer."""
    at_s: float | None = None
    """Of a video: where the clip or frame begins that speaks most for the wrong answer."""
    picture: NDArray[np.uint8] | None = field(default=None, repr=False, compare=False)
    """What the network saw there ``(H, W, 3)``; of a clip its middle frame."""
    kind: Literal["class", "missing", "spurious"] = "class"

    @property
    def words(self) -> str:
        """The mistake in words."""
        said = {
            "class": f"{self.label}, taken for {self.predicted}",
            "missing": f"{self.label} was missed",
            "spurious": f"{self.predicted} was seen and is not there",
        }
        return f"{said[self.kind]} ({self.probability:.2f})"


@dataclass(frozen=True)
class Evaluation:
    """What came out. A file counts once: the probabilities of its clips or frames are averaged."""

    run: str
    data: tuple[str, ...]
    split: str
    """val or test of the run's own data, "all" of other data."""
    classes: tuple[str, ...]
    files: int = 0
    samples: int = 0
    metrics: dict[str, Interval] = field(default_factory=dict)
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
    gone: tuple[str, ...] = ()
    """Files of the run's own split that are not there any more."""
    ignored: int = 0
    """How many files its data have gained since the training."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``; without the pictures."""
        found = asdict(self)
        for one in (found, *found["heads"].values()):
            one["mistakes"] = [{k: v for k, v in mistake.items() if k != "picture"} for mistake in one["mistakes"]]
        return found
