"""What is compared: the distinct rows of a space as unit vectors, each copy once, with the items that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import StoreError
from visfeat.frames import NO_TIME
from visfeat.media.item import Kind
from visfeat.pool import unit_length
from visfeat.store.reading import SpaceReader

Vectors = NDArray[np.floating[Any]]
Longs = NDArray[np.int64]


@dataclass(frozen=True)
class Pictures:
    """N distinct pictures: values float32 ``(N, D)`` of unit length, and who holds each: its URIs, sorted."""

    values: NDArray[np.float32]
    uris: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Videos:
    """V distinct videos with N rows in all: values float32 ``(N, D)`` of unit length, start_s float64 ``(N,)``.

    Video v has the rows ``[first[v], first[v + 1])``, sorted by time; ``uris[v]`` hold it. ``last_end_s``: float64
    ``(V,)``, when its last row's frame ends.
    """

    values: NDArray[np.float32]
    start_s: NDArray[np.float64]
    first: Longs
    last_end_s: NDArray[np.float64]
    uris: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.uris)

    @property
    def video(self) -> Longs:
        """Which video each row belongs to, int64 ``(N,)``."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.first))

    def rows(self, video: int) -> slice:
        """Where a video's rows are."""
        return slice(int(self.first[video]), int(self.first[video + 1]))


def split(reader: SpaceReader) -> tuple[Longs, Longs]:
    """The first entry of each item that is one picture, and of each that is a series of rows over time.

    An image is a picture, unless an animation was read as a video. Where rows were pooled to one a video, every item
    is: there is nothing to align.
    """
    item = reader.join.item
    firsts = np.flatnonzero(np.diff(item, prepend=-1))
    count = np.diff(firsts, append=len(item))
    recipe = reader.space.stored.recipe
    kinds = reader.join.kinds
    is_image = np.array([kinds[one] == Kind.IMAGE for one in item[firsts].tolist()], bool)
    is_whole = recipe.temporal is not None and recipe.segments is None
    is_picture = (count == 1) & (is_image | is_whole)
    return firsts[is_picture], firsts[~is_picture]


def pictures(reader: SpaceReader, *, without: frozenset[str] = frozenset()) -> Pictures:
    """The pictures of a space, but for the URIs of ``without``; raises StoreError where a vector is not finite."""
    entries = _kept(reader, split(reader)[0], without)
    offsets, content = np.unique(reader.join.offset[entries], return_inverse=True)
    return Pictures(_load(reader, offsets), _holders(reader, entries, content, len(offsets)))


def videos(reader: SpaceReader, *, without: frozenset[str] = frozenset()) -> Videos:
    """The videos of a space, but for the URIs of ``without``; raises StoreError where a vector is not finite."""
    entries = _kept(reader, split(reader)[1], without)
    # Copies share their first row, and with it all others.
    _, representative, content = np.unique(reader.join.offset[entries], return_index=True, return_inverse=True)
    lengths = np.diff(np.searchsorted(reader.join.item, [reader.join.item[entries], reader.join.item[entries] + 1]).T)
    count = lengths.ravel()[representative].astype(np.int64)
    first = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    rows = np.repeat(entries[representative] - first[:-1], count) + np.arange(first[-1])
    times = reader.metadata_at(rows) if len(rows) else None
    start_s, end_s = (
        np.empty(0) if times is None else times[name].fill_null(NO_TIME).to_numpy().astype(np.float64)
        for name in ("start_s", "end_s")
    )
    offsets, back = np.unique(reader.join.offset[rows], return_inverse=True)
    values = _load(reader, offsets)
    in_order = np.array_equal(back, np.arange(len(back)))
    return Videos(
        values=values if in_order else values[back],
        start_s=start_s,
        first=first,
        last_end_s=end_s[first[1:] - 1] if len(count) else np.empty(0),
        uris=_holders(reader, entries, content, len(count)),
    )


def pictures_like(reader: SpaceReader, wanted: Pictures) -> NDArray[np.float32]:
    """Another space's rows of the same pictures, in their order: float32 ``(N, D)``, zeros where it has none."""
    index = {uri: number for number, uri in enumerate(reader.join.uris)}
    firsts = np.searchsorted(reader.join.item, np.arange(len(index) + 1))
    entry = np.full(len(wanted), -1, np.int64)
    for number, uris in enumerate(wanted.uris):
        item = index.get(uris[0])
        if item is not None and firsts[item + 1] == firsts[item] + 1:
            entry[number] = firsts[item]
    return _at(reader, entry)


def videos_like(reader: SpaceReader, wanted: Videos) -> NDArray[np.float32]:
    """Another space's rows of the same videos, in their order: float32 ``(N, D)``, zeros where it has other rows."""
    index = {uri: number for number, uri in enumerate(reader.join.uris)}
    firsts = np.searchsorted(reader.join.item, np.arange(len(index) + 1))
    entry = np.full(len(wanted.values), -1, np.int64)
    for number, uris in enumerate(wanted.uris):
        item, rows = index.get(uris[0]), wanted.rows(number)
        if item is not None and firsts[item + 1] - firsts[item] == rows.stop - rows.start:
            entry[rows] = np.arange(firsts[item], firsts[item + 1])
    return _at(reader, entry)


def _at(reader: SpaceReader, entry: Longs) -> NDArray[np.float32]:
    """The unit vectors of entries, zeros for -1."""
    known = np.flatnonzero(entry >= 0)
    offsets, back = np.unique(reader.join.offset[entry[known]], return_inverse=True)
    values = np.zeros((len(entry), int(np.prod(reader.space.layer.shape))), np.float32)
    values[known] = _load(reader, offsets)[back]
    return values


def _kept(reader: SpaceReader, entries: Longs, without: frozenset[str]) -> Longs:
    if not without:
        return entries
    uris, item = reader.join.uris, reader.join.item
    return np.array([one for one in entries.tolist() if uris[item[one]] not in without], np.int64)


def _holders(reader: SpaceReader, entries: Longs, content: Longs, number: int) -> tuple[tuple[str, ...], ...]:
    """The URIs that hold each content; entries are sorted by URI."""
    uris: list[list[str]] = [[] for _ in range(number)]
    for entry, one in zip(entries.tolist(), content.tolist(), strict=True):
        uris[one].append(reader.join.uris[reader.join.item[entry]])
    return tuple(map(tuple, uris))


def _load(reader: SpaceReader, offsets: Longs) -> NDArray[np.float32]:
    """The rows at these stored offsets (sorted, each once) as unit vectors, in one scan and one copy."""
    values = np.empty((len(offsets), int(np.prod(reader.space.layer.shape))), np.float32)
    for start, stored in reader.stored_values():
        first, last = np.searchsorted(offsets, [start, start + len(stored)])
        if first == last:
            continue
        part = stored[offsets[first:last] - start].reshape(last - first, -1)
        is_finite = np.isfinite(part).all(axis=1)
        if not is_finite.all():
            raise StoreError(_not_finite(reader, offsets[first:last][~is_finite]))
        values[first:last] = unit_length(part)
    return values


def _not_finite(reader: SpaceReader, offsets: Longs) -> str:
    entry = int(np.flatnonzero(reader.join.offset == offsets[0])[0])
    uri = reader.join.uris[reader.join.item[entry]]
    return f"{uri}: its vector of {reader.space} is not finite, so it is like nothing; extract it again with --redo"
