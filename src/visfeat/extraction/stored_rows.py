"""The rows of each item of a store, one item after the other, small ones read many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from visfeat.frames import NO_INDEX
from visfeat.store.reading import BATCH_BYTES, SpaceReader
from visfeat.temporal.rows import RowSequence, Values
from visfeat.temporal.segments import RowTimes

Readers = Mapping[str, SpaceReader]
"""Layer -> the rows of that layer."""


@dataclass(frozen=True, slots=True)
class ItemRows:
    """One item's rows by layer, and when they are."""

    uri: str
    rows: Mapping[str, RowSequence]
    times: RowTimes


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Rows ``[start, stop)`` of a space, read when they are asked for: of an item too long to be held whole."""

    reader: SpaceReader
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, part: slice, /) -> Values:
        first, stop, _ = part.indices(len(self))
        return self.reader.rows(self.start + first, self.start + stop)[0]


def item_rows(readers: Readers, uris: Sequence[str]) -> Iterator[ItemRows]:
    """The rows of these items in the order of the URIs; an item that another process removed meanwhile is left out."""
    spans = {layer: _spans(reader) for layer, reader in readers.items()}
    uris = [uri for uri in uris if all(uri in known for known in spans.values())]
    most = min(reader.rows_in(BATCH_BYTES) for reader in readers.values())
    first = next(iter(readers))
    for group in _groups(sorted(uris), spans[first], most):
        if len(group) == 1 and len(spans[first][group[0]]) > most:
            yield _long_item(group[0], readers, {layer: spans[layer][group[0]] for layer in readers})
        else:
            yield from _short_items(group, readers, spans)


def _spans(reader: SpaceReader) -> dict[str, range]:
    """URI -> the indices of its rows, which lie side by side."""
    join = reader.join
    bounds = np.searchsorted(join.item, np.arange(len(join.uris) + 1)).tolist()
    return {uri: range(*pair) for uri, pair in zip(join.uris, pairwise(bounds), strict=True)}


def _groups(uris: Sequence[str], spans: Mapping[str, range], most: int) -> Iterator[list[str]]:
    """URIs whose rows together are no more than ``most``, or a single one."""
    held: list[str] = []
    count = 0
    for uri in uris:
        if held and count + len(spans[uri]) > most:
            yield held
            held, count = [], 0
        held.append(uri)
        count += len(spans[uri])
    if held:
        yield held


def _long_item(uri: str, readers: Readers, spans: Mapping[str, range]) -> ItemRows:
    first = next(iter(readers))
    rows = {layer: StoredRows(reader, spans[layer].start, spans[layer].stop) for layer, reader in readers.items()}
    return ItemRows(uri, rows, _times(readers[first].metadata_at(_indices([spans[first]]))))


def _short_items(uris: Sequence[str], readers: Readers, spans: Mapping[str, Mapping[str, range]]) -> Iterator[ItemRows]:
    read = {layer: reader.at(_indices([spans[layer][uri] for uri in uris])) for layer, reader in readers.items()}
    first = next(iter(readers))
    times = _times(read[first][1])
    start = 0
    for uri in uris:
        part = slice(start, start + len(spans[first][uri]))
        start = part.stop
        yield ItemRows(uri, {layer: values[part] for layer, (values, _) in read.items()}, times.part(part))


def _indices(spans: Sequence[range]) -> NDArray[np.int64]:
    return np.concatenate([np.arange(span.start, span.stop) for span in spans])


def _times(table: pa.Table) -> RowTimes:
    """The times of a reader's table; what is null there is NaN, or no index."""
    return RowTimes(
        table["start_s"].to_numpy().astype(np.float64),
        table["end_s"].to_numpy().astype(np.float64),
        pc.fill_null(table["frame_index"], NO_INDEX).to_numpy().astype(np.int64),
    )
