"""How well copies are found: precision and recall, micro-average precision of pairs and of passages, boundary errors.

Definitions are those of the Video Similarity Challenge: Pizzi, Kordopatis-Zilos, Patel, Postelnicu, Ravindra, Gupta,
Papadopoulos, Tolias and Douze, "The 2023 Video Similarity Dataset and Challenge", arXiv 2306.09489; the metric over
passages is after He et al., "A Large-scale Comprehensive Dataset and Copy-overlap Aware Evaluation Protocol for
Segment-level Video Copy Detection", CVPR 2022.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import sqrt

Interval = tuple[float, float]


@dataclass(frozen=True)
class Match:
    """The query shows during ``query_s`` what the reference shows during ``reference_s``: seconds, half-open."""

    query: str
    reference: str
    query_s: Interval
    reference_s: Interval
    score: float = 1.0


def average_precision(scores: Sequence[float], is_true: Sequence[bool], number_true: int) -> float:
    """Micro-average precision: over all pairs of all queries by falling score, the sum of precision times new recall.

    Pairs of equal score come together.
    """
    order = sorted(zip(scores, is_true, strict=True), key=lambda one: -one[0])
    found = seen = 0
    total = 0.0
    for _, together in groupby(order, key=lambda one: one[0]):
        hits = [hit for _, hit in together]
        seen += len(hits)
        found += sum(hits)
        total += sum(hits) / number_true * found / seen
    return total


def passage_average_precision(found: Iterable[Match], truth: Sequence[Match]) -> float:
    """Micro-average precision of passages: precision and recall are the geometric means of those of both videos' time.

    After each prediction, by falling score: what of the predicted time, joined for each pair of videos, lies in true
    passages that a prediction touches, over all predicted time (precision), and over all true time (recall).
    """
    true_of, predicted = defaultdict(list), defaultdict(list)
    for one in truth:
        true_of[one.query, one.reference].append(one)
    wanted = [sum(_length(_sides(matches)[side]) for matches in true_of.values()) for side in (0, 1)]
    inside, covered = [0.0, 0.0], [0.0, 0.0]
    recall = total = 0.0
    for _, together in groupby(sorted(found, key=lambda one: -one.score), key=lambda one: one.score):
        for one in together:
            pair = one.query, one.reference
            before = _overlap(predicted[pair], true_of[pair])
            predicted[pair].append(one)
            after = _overlap(predicted[pair], true_of[pair])
            for side in (0, 1):
                inside[side] += after[side][0] - before[side][0]
                covered[side] += after[side][1] - before[side][1]
        reached = sqrt(inside[0] / wanted[0] * inside[1] / wanted[1])
        precision = sqrt(inside[0] / covered[0] * inside[1] / covered[1])
        total += precision * (reached - recall)
        recall = reached
    return total


def _overlap(predicted: Sequence[Match], truth: Sequence[Match]) -> tuple[Interval, Interval]:
    """Of the query's and of the reference's time: seconds predicted and true, and seconds predicted."""
    touched = [one for one in truth if any(_touches(one, other) for other in predicted)]
    sides = zip(_sides(predicted), _sides(touched), strict=True)
    first, second = ((_length(mine) + _length(true) - _length([*mine, *true]), _length(mine)) for mine, true in sides)
    return first, second


def _sides(matches: Sequence[Match]) -> tuple[list[Interval], list[Interval]]:
    return [one.query_s for one in matches], [one.reference_s for one in matches]


def _touches(one: Match, other: Match) -> bool:
    """Whether two matches have time in common on both sides."""
    return all(
        max(mine[0], theirs[0]) < min(mine[1], theirs[1])
        for mine, theirs in ((one.query_s, other.query_s), (one.reference_s, other.reference_s))
    )


def _length(intervals: Iterable[Interval]) -> float:
    """Seconds that the intervals cover together."""
    total, end = 0.0, float("-inf")
    for start, stop in sorted(intervals):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total


def boundary_errors_s(found: Iterable[Match], truth: Sequence[Match]) -> list[float]:
    """Seconds between each true boundary and that of the passage found there which overlaps it most.

    Four for each true passage that was found: beginning and end in query and reference.
    """
    errors = []
    by_pair = defaultdict(list)
    for one in found:
        by_pair[one.query, one.reference].append(one)
    for true in truth:
        near = [one for one in by_pair[true.query, true.reference] if _touches(one, true)]
        if not near:
            continue
        best = max(near, key=lambda one: min(one.query_s[1], true.query_s[1]) - max(one.query_s[0], true.query_s[0]))
        errors += [abs(mine - theirs) for mine, theirs in zip(best.query_s, true.query_s, strict=True)]
        errors += [abs(mine - theirs) for mine, theirs in zip(best.reference_s, true.reference_s, strict=True)]
    return errors
