"""One finding of an audit, and what each kind of them means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

What = Literal[
    "unreadable", "blurred", "dark", "overexposed", "low_information", "odd_aspect", "outlier", "leak", "label"
]

MEANINGS: Mapping[What, str] = {
    "unreadable": "the file, or part of it, could not be read",
    "blurred": "few edges lose by being blurred once more: out of focus, moved, or enlarged",
    "dark": "the mean brightness is low: underexposed, or shot at night",
    "overexposed": "a large part is pure white: overexposed, or a scan, a diagram, a product on white",
    "low_information": "the gray levels hardly differ: blank, fog, a covered lens",
    "odd_aspect": "the long side is many times the short one: a panorama, a banner, a strip",
    "outlier": "much farther from its nearest neighbors than items usually are: rare, or in the wrong place",
    "leak": "another split has nearly the same: a score on that split would be too good",
    "label": "its neighbors agree on another label: mislabeled, or a hard case",
}
"""Kind -> what it says of the item."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one item.

    ``score`` and ``threshold`` are in the unit of their kind; both are None of an unreadable file. ``other`` is the
    item of another split that is nearly the same; the times are those of the moments of two videos. ``note`` says more.
    """

    what: What
    uri: str
    score: float | None
    threshold: float | None
    note: str = ""
    start_s: float | None = None
    other: str | None = None
    other_start_s: float | None = None

    @property
    def meaning(self) -> str:
        """What it says of the item."""
        return MEANINGS[self.what]

    def to_json(self) -> dict[str, Any]:
        """All fields, and the meaning."""
        return {**asdict(self), "meaning": self.meaning}
