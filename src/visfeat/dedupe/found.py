"""What dedupe found: groups of items that show the same, and passages that two videos share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Member:
    """An item of a group; score: its cosine with the one that is kept, 1 for that one itself."""

    uri: str
    score: float
    keep: bool
    mirrored: bool = False
    """Whether it is the kept one in a mirror."""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        said: dict[str, Any] = {"uri": self.uri, "score": round(self.score, 6), "keep": self.keep}
        return said | ({"mirrored": True} if self.mirrored else {})


@dataclass(frozen=True, slots=True)
class Group:
    """Items that show the same as the first, which is kept; the most alike come first."""

    members: tuple[Member, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """As plain data."""
        return [member.to_json() for member in self.members]


@dataclass(frozen=True, slots=True)
class Span:
    """The part ``[start_s, end_s)`` of a video; ``keep`` is False where it is the whole video and the other stays."""

    uri: str
    start_s: float
    end_s: float
    keep: bool


@dataclass(frozen=True, slots=True)
class Passage:
    """Two videos show the same from ``start_s`` to ``end_s`` of each.

    score: mean cosine of the rows beside each other. speed: seconds of the second a second of the first.
    """

    first: Span
    second: Span
    score: float
    speed: float
    mirrored: bool = False

    @property
    def spans(self) -> tuple[Span, Span]:
        """Both sides."""
        return self.first, self.second

    def to_json(self) -> list[dict[str, Any]]:
        """As plain data: a group of two."""
        mirrored = {"mirrored": True} if self.mirrored else {}
        return [
            {
                "uri": span.uri,
                "score": round(self.score, 6),
                "keep": span.keep,
                "start_s": round(span.start_s, 3),
                "end_s": round(span.end_s, 3),
            }
            | mirrored
            for span in self.spans
        ]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of pictures, passages of videos, and from which cosines on they count (None: nothing to compare)."""

    groups: tuple[Group, ...]
    passages: tuple[Passage, ...]
    pictures: int
    videos: int
    picture_threshold: float | None = None
    video_threshold: float | None = None

    def to_json(self) -> list[list[dict[str, Any]]]:
        """Groups, then passages as groups of two that also have start_s and end_s."""
        return [*(group.to_json() for group in self.groups), *(passage.to_json() for passage in self.passages)]

    @property
    def superfluous(self) -> list[tuple[str, str, float]]:
        """What is not kept, once each: its URI, that of what is kept in its stead, and its score.

        A video may be all of one that is itself all of a third: the third stays in the stead of both. Of videos that
        go in a circle the first stays.
        """
        found = {
            member.uri: (member.uri, group.members[0].uri, member.score)
            for group in self.groups
            for member in group.members
            if not member.keep
        }
        for passage in self.passages:
            for span, other in (passage.spans, passage.spans[::-1]):
                if not span.keep:
                    found.setdefault(span.uri, (span.uri, other.uri, passage.score))
        for uri in list(found):
            if _stays(uri, found) is None:
                del found[uri]
        return [(uri, _stays(uri, found) or kept, score) for uri, kept, score in found.values()]

    @property
    def summary(self) -> str:
        """One line for people."""
        copies = sum(not member.keep for group in self.groups for member in group.members)
        parts = []
        if self.picture_threshold is not None:
            parts.append(
                f"{self.pictures} pictures: {copies} in {len(self.groups)} groups are like one that is kept "
                f"(cosine {self.picture_threshold:.3f} and more)"
            )
        if self.video_threshold is not None:
            parts.append(
                f"{self.videos} videos: {len(self.passages)} passages in common "
                f"(cosine {self.video_threshold:.3f} and more)"
            )
        return "; ".join(parts) or f"{self.pictures} pictures and {self.videos} videos: nothing to compare"


def _stays(uri: str, found: Mapping[str, tuple[str, str, float]]) -> str | None:
    """What is kept in the end in an item's stead, from one to the next; None where that leads in a circle."""
    seen = {uri}
    while uri in found:
        uri = found[uri][1]
        if uri in seen:
            return None
        seen.add(uri)
    return uri
