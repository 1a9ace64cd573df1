"""dedupe: from a store to groups of pictures and passages of videos; the public function of this package."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visfeat.dedupe.clips import Shared, ends_of, shared_passages
from visfeat.dedupe.contents import Pictures, Videos, pictures, pictures_like, videos, videos_like
from visfeat.dedupe.found import Duplicates, Group, Passage, Span
from visfeat.dedupe.images import alike, concerned_uris, groups
from visfeat.dedupe.keep import Keep, facts_of, preferred
from visfeat.dedupe.spaces import mirrored_space, same_space, space_of, what_it_sees
from visfeat.dedupe.thresholds import Threshold, automatic, calibrated, checked, uncalibrated, usual_neighbor
from visfeat.errors import UsageError
from visfeat.store.feature_store import FeatureStore
from visfeat.store.reading import SpaceReader
from visfeat.store.selection import Space

SHORTEST_S = 2.0
WHOLE = 0.9
"""A passage that is at least that part of a video is all of it."""
SURE = 0.5
"""A video may go where the cosine is that far up from the threshold to 1: two takes of one scene are alike too."""


def dedupe(  # noqa: PLR0913 (what can be asked, all by name)
    store: FeatureStore,
    *,
    against: FeatureStore | None = None,
    threshold: Threshold = None,
    keep: Keep = "largest",
    mirrored: bool = False,
    shortest_s: float = SHORTEST_S,
    model: str | None = None,
    layer: str | None = None,
    recipe: str | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Duplicates:
    """Pictures of a store that show the same, and passages that its videos share.

    against: a store that is known already; then what is new is compared with that, and with what else is new, while
    its own items are all kept and not compared with one another. threshold: a cosine, ``auto``, or None for the one
    measured for the model. keep: which one of a group stays. mirrored: also what is the same in a mirror, by rows of
    the same recipe with ``mirror``. shortest_s: passages last at least so long. ``model``, ``layer`` and ``recipe``
    choose among several features; where nothing is chosen, those of the preset visfeat/copies. ``report`` gets remarks.

    No file is touched. Raises UsageError, and StoreError for vectors that are not finite.
    """
    if shortest_s <= 0:
        raise UsageError(f"--shortest {shortest_s:g}: must be more than 0")
    preferred([], keep)
    space = space_of(store, model, layer, recipe)
    remark = what_it_sees(space)
    if remark is not None:
        report(remark)
    readers = _Readers(
        store.read_space(space),
        None if against is None else against.read_space(same_space(against, space)),
        store.read_space(mirrored_space(store, space)) if mirrored else None,
    )
    stores = [store] if against is None else [store, against]
    chosen = _Chosen(space, threshold)
    found, number, of_pictures = _groups(readers, stores, chosen, keep)
    shared, count, of_videos = _passages(readers, stores, chosen, keep, shortest_s)
    return Duplicates(tuple(found), tuple(shared), number, count, of_pictures, of_videos)


@dataclass(frozen=True)
class _Readers:
    """The rows that are compared: of the store, of what is known, and of the store's media in a mirror."""

    new: SpaceReader
    known: SpaceReader | None
    mirrors: SpaceReader | None

    @property
    def known_uris(self) -> frozenset[str]:
        """What is in both stores is not new."""
        return frozenset() if self.known is None else frozenset(self.known.join.uris)


@dataclass(frozen=True)
class _Chosen:
    """How the threshold is found."""

    space: Space
    said: Threshold

    def of_pictures(self, new: Pictures, known: Pictures | None) -> float:
        """From which cosine on two pictures show the same."""
        if self.said == "auto":
            return automatic(usual_neighbor(_joined(new, known)))
        return self._told(is_video=False)

    def of_videos(self, new: Videos, known: Videos | None) -> float:
        """From which cosine on two rows of videos show the same."""
        if self.said == "auto":
            owner = new.video if known is None else np.concatenate([new.video, known.video + len(new)])
            return automatic(usual_neighbor(_joined(new, known), owner))
        return self._told(is_video=True)

    def _told(self, *, is_video: bool) -> float:
        if self.said is not None and self.said != "auto":
            return checked(float(self.said))
        measured = calibrated(self.space)
        if measured is None:
            raise uncalibrated(self.space)
        return measured.video if is_video else measured.picture


def _joined(new: Pictures | Videos, known: Pictures | Videos | None) -> NDArray[np.float32]:
    return new.values if known is None else np.concatenate([new.values, known.values])


def _groups(
    readers: _Readers, stores: Sequence[FeatureStore], chosen: _Chosen, keep: Keep
) -> tuple[list[Group], int, float | None]:
    """Groups of pictures, how many distinct ones there are, and the threshold."""
    new = pictures(readers.new, without=readers.known_uris)
    known = None if readers.known is None else pictures(readers.known)
    number = len(new) + (0 if known is None else len(known))
    # Of what is known one file stands for all of its copies: it is there to be compared with.
    holders = [*new.uris, *(() if known is None else (uris[:1] for uris in known.uris))]
    if len(new) == 0 or sum(map(len, holders)) < 2:
        return [], number, None
    threshold = chosen.of_pictures(new, known)
    mirrors = None if readers.mirrors is None else pictures_like(readers.mirrors, new)
    pairs, is_mirrored = alike(new, known, threshold, mirrors=mirrors)
    order = _preferred(stores, concerned_uris(pairs, holders), keep)
    return groups(pairs, is_mirrored, holders, order), number, threshold


def _preferred(stores: Sequence[FeatureStore], uris: Iterable[str], keep: Keep) -> list[str]:
    """The URIs in the order in which they are to be kept; what is known comes first, whatever it is like."""
    new = facts_of(stores[0], uris)
    known = facts_of(stores[1], uris) if len(stores) > 1 else {}
    return [
        *preferred(known.values(), keep),
        *preferred((item for uri, item in new.items() if uri not in known), keep),
    ]


def _passages(
    readers: _Readers, stores: Sequence[FeatureStore], chosen: _Chosen, keep: Keep, shortest_s: float
) -> tuple[list[Passage], int, float | None]:
    """Passages of videos, how many distinct videos there are, and the threshold."""
    new = videos(readers.new, without=readers.known_uris)
    known = None if readers.known is None else videos(readers.known)
    number = len(new) + (0 if known is None else len(known))
    if len(new) == 0 or (number < 2 and sum(map(len, new.uris)) < 2):
        return [], number, None
    threshold = chosen.of_videos(new, known)
    holders = [*new.uris, *(() if known is None else (uris[:1] for uris in known.uris))]
    facts = {uri: item for one in stores for uri, item in facts_of(one, sum(holders, ())).items()}
    durations_s = {uri: item["duration_s"] for uri, item in facts.items()}
    ends_s = ends_of(new, durations_s), np.empty(0) if known is None else ends_of(known, durations_s)
    shared = shared_passages(
        new,
        known,
        threshold,
        ends_s=ends_s,
        shortest_s=shortest_s,
        mirrors=None if readers.mirrors is None else videos_like(readers.mirrors, new),
    )
    ends = np.concatenate(ends_s)
    order = _preferred(stores, _uris_in(shared, holders), keep)
    rank = {uri: place for place, uri in enumerate(order)}
    sure = threshold + SURE * (1 - threshold)
    told = [_passage(one, holders, ends, rank, number_new=len(new), sure=sure) for one in shared]
    return [*_equal_files(holders, ends, rank), *told], number, threshold


def _uris_in(shared: Sequence[Shared], holders: Sequence[Sequence[str]]) -> list[str]:
    """The videos of the passages, and those that several files hold."""
    concerned = {number for one in shared for number in (one.first, one.second)}
    concerned |= {number for number, uris in enumerate(holders) if len(uris) > 1}
    return [uri for number in sorted(concerned) for uri in holders[number]]


def _passage(
    one: Shared,
    holders: Sequence[Sequence[str]],
    ends_s: NDArray[np.float64],
    rank: dict[str, int],
    *,
    number_new: int,
    sure: float,
) -> Passage:
    """A passage between the files to keep of either video; a new one that is all of its video may go if it is sure."""
    first, second = (min(holders[number], key=rank.__getitem__) for number in (one.first, one.second))
    at = one.aligned
    is_sure = at.score >= sure
    is_first = is_sure and at.first_end_s - at.first_start_s >= WHOLE * ends_s[one.first]
    is_second = is_sure and at.second_end_s - at.second_start_s >= WHOLE * ends_s[one.second]
    is_second = is_second and one.second < number_new
    if is_first and is_second:
        is_first = rank[first] > rank[second]
        is_second = not is_first
    return Passage(
        Span(first, at.first_start_s, at.first_end_s, keep=not is_first),
        Span(second, at.second_start_s, at.second_end_s, keep=not is_second),
        score=at.score,
        speed=at.speed,
        mirrored=one.mirrored,
    )


def _equal_files(holders: Sequence[Sequence[str]], ends_s: NDArray[np.float64], rank: dict[str, int]) -> list[Passage]:
    """A passage from beginning to end for each further file of a video that several hold."""
    found = []
    for uris, end_s in zip(holders, ends_s.tolist(), strict=True):
        first, *others = sorted(uris, key=lambda uri: rank.get(uri, 0))
        found += [
            Passage(Span(first, 0.0, end_s, keep=True), Span(other, 0.0, end_s, keep=False), score=1.0, speed=1.0)
            for other in others
        ]
    return found
