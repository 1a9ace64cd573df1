"""What a network said of some samples, by sample and by file, and which mistakes it made there."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.class_groups import groups_of, probabilities
from visfeat.train.data.samples import Samples
from visfeat.train.evaluation import Mistake
from visfeat.train.run_card import RunCard


@dataclass(frozen=True)
class Answers:
    """The answers to N samples of F files; a file counts once, by the mean over its samples."""

    samples: Samples
    """With the run's classes, whatever the data's own are."""
    probabilities: NDArray[np.float64]
    """``(N, classes)``."""
    sources: NDArray[np.int64]
    """The F files, as indices of ``samples.sources``."""
    of_file: NDArray[np.float64]
    """``(F, classes)``."""
    targets: NDArray[Any]
    """``(F,)``, or of 0 and 1 ``(F, classes)``."""
    groups: NDArray[Any]
    """``(F,)``: files that belong together."""

    def of_head(self, known: NDArray[np.int64], part: slice) -> Answers:
        """The files ``known``, which have a label there, and the classes of one head."""
        return replace(
            self,
            probabilities=self.probabilities[:, part],
            sources=self.sources[known],
            of_file=self.of_file[known, part],
            targets=self.targets[known, part].argmax(axis=1),
            groups=self.groups[known],
        )

    def wrong_class(self, file: int, classes: tuple[str, ...]) -> Mistake:
        """The file, and of its samples the one that speaks most for the class that it was taken for."""
        predicted = int(self.of_file[file].argmax())
        return Mistake(
            label=classes[self.targets[file]],
            predicted=classes[predicted],
            probability=float(self.of_file[file, predicted]),
            **self._place(file, predicted, most=True),
        )

    def wrong_label(self, file: int, label: int, classes: tuple[str, ...]) -> Mistake:
        """A label that was missed or that is not there, with the sample that speaks most for the wrong answer."""
        share, is_there = float(self.of_file[file, label]), bool(self.targets[file, label])
        return Mistake(
            label=classes[label] if is_there else "",
            predicted="" if is_there else classes[label],
            probability=1 - share if is_there else share,
            kind="missing" if is_there else "spurious",
            **self._place(file, label, most=not is_there),
        )

    def _place(self, file: int, label: int, *, most: bool) -> dict[str, Any]:
        """Uri, moment and picture of the file's sample with the highest probability of a class, or the lowest."""
        source = self.sources[file]
        own = np.flatnonzero(self.samples.source_of == source)
        shares = self.probabilities[own, label]
        sample = own[shares.argmax() if most else shares.argmin()]
        clip = self.samples.pixels.take(np.array([sample]))[0]
        starts_s = self.samples.starts_s
        start_s = math.nan if starts_s is None else float(starts_s[sample])
        return {
            "uri": self.samples.sources[source].uri,
            "at_s": None if math.isnan(start_s) else start_s,
            "picture": clip[len(clip) // 2],
        }


def answers_of(card: RunCard, samples: Samples, logits: NDArray[np.float32]) -> Answers:
    """From logits ``(N, classes)`` of the samples, whose classes are the run's."""
    samples = replace(samples, classes=card.classes)
    sources, first, place = np.unique(samples.source_of, return_index=True, return_inverse=True)
    shares = probabilities(logits, groups=groups_of(card.classes, card.heads, multilabel=card.multilabel))
    mean = np.zeros((len(sources), len(card.classes)))
    np.add.at(mean, place, shares)
    mean /= np.bincount(place)[:, None]
    known = [samples.sources[n] for n in sources]
    groups = np.array([one.group or one.content_hash for one in known])
    return Answers(samples, shares, sources, mean, samples.targets()[first], groups)
