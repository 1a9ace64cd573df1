"""All that a run learns from: pixels, labels, splits and what was left out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visfeat.train.data.examples import Example, Split, labels_of
from visfeat.train.data.pixels import Pixels
from visfeat.train.data.splits import REJECTED_FILE, SPLITS_FILE, save_rejected, save_splits


@dataclass(frozen=True, slots=True)
class Source:
    """One file, or one picture of an IDX file: what it is and into which split it goes."""

    uri: str
    label: str
    content_hash: str
    split: Split
    group: str | None = None


@dataclass(frozen=True)
class Samples:
    """N samples of F sources: pixels, and for each sample the index of its source."""

    pixels: Pixels
    source_of: NDArray[np.int64]
    """``(N,)``."""
    sources: tuple[Source, ...]
    classes: tuple[str, ...]
    rejected: tuple[tuple[str, str, str], ...] = ()
    """uri, label and reason of files that are left out."""
    multilabel: bool = False
    """Whether a source may have several classes: several labels, or one in each of several columns."""
    starts_s: NDArray[np.float64] | None = None
    """Where in its video each sample begins ``(N,)``, NaN of a picture; None where all are pictures."""

    def indices(self, split: Split) -> NDArray[np.int64]:
        """The samples of a split, in order."""
        inside = np.array([source.split == split for source in self.sources])
        return np.flatnonzero(inside[self.source_of])

    def targets(self) -> NDArray[np.int64] | NDArray[np.float32]:
        """The class of each sample, int64 ``(N,)``; of several labels float32 ``(N, classes)`` of 0 and 1."""
        number = {name: n for n, name in enumerate(self.classes)}
        if not self.multilabel:
            of_source = np.array([number[source.label] for source in self.sources], np.int64)
            return of_source[self.source_of]
        of_sources = np.zeros((len(self.sources), len(self.classes)), np.float32)
        for n, source in enumerate(self.sources):
            for name in labels_of(Example(source.uri, source.label), multilabel=True):
                of_sources[n, number[name]] = 1
        return of_sources[self.source_of]

    def balance(self, split: Split) -> dict[str, int]:
        """Class -> samples of the split that have it, all classes, in their order."""
        targets, inside = self.targets(), self.indices(split)
        if self.multilabel:
            counts = targets[inside].sum(axis=0).astype(np.int64)
        else:
            counts = np.bincount(targets[inside].astype(np.int64), minlength=len(self.classes))
        return {name: int(count) for name, count in zip(self.classes, counts, strict=True)}

    @property
    def digest(self) -> str:
        """Hex SHA-256 of contents, labels and splits, whatever the files are called."""
        rows = sorted(f"{source.content_hash} {source.split} {source.label}" for source in self.sources)
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``splits.csv``, and ``rejected.csv`` where something was left out."""
        save_splits(folder / SPLITS_FILE, [(one.uri, one.label, one.split, one.group or "") for one in self.sources])
        save_rejected(folder / REJECTED_FILE, self.rejected)
