"""Items joined to rows: which row of a space belongs to which URI, without reading a vector.

One entry an item and position, copies included, sorted by URI, then position. It costs 12 bytes an entry and
16 bytes a stored row, so a store of any number of vectors can be read in batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from visfeat.store.records import Status
from visfeat.store.tables import Table, text

Longs: TypeAlias = NDArray[np.int64]
_PART_ROWS = 1_000_000
COMPLETE = f"status IN ('{Status.DONE}', '{Status.PARTIAL}')"


@dataclass(frozen=True, slots=True)
class Join:
    """uris, kinds: one an item, sorted by URI; item int32 ``(N,)``: index into them; offset int64 ``(N,)``: the row."""

    uris: tuple[str, ...]
    kinds: tuple[str | None, ...]
    item: NDArray[np.int32]
    offset: Longs

    def __len__(self) -> int:
        return len(self.offset)


def join(media: Table, extractions: Table, features: Table, recipe_digest: str) -> Join:
    """Join the items to the rows that count: those of contents that are done or partial under the recipe."""
    where = f"recipe_digest = {text(recipe_digest)} AND {COMPLETE}"
    complete = extractions.read(["content_hash", "num_rows"], where=where).combine_chunks()
    hashes = complete["content_hash"].combine_chunks()
    items = _items(media, hashes)
    code, offset = _rows(features, hashes, complete["num_rows"].to_numpy())
    first = np.searchsorted(code, np.arange(len(hashes) + 1))
    item_code = items["code"].to_numpy().astype(np.int64)
    count = first[item_code + 1] - first[item_code]
    item = np.repeat(np.arange(len(item_code), dtype=np.int32), count)
    # Entry n of an item is entry first[code] + n of the rows, which are sorted by code and position.
    within = np.arange(len(item), dtype=np.int64) - np.repeat(np.cumsum(count) - count, count)
    return Join(
        uris=tuple(items["uri"].to_pylist()),
        kinds=tuple(items["kind"].to_pylist()),
        item=item,
        offset=offset[np.repeat(first[item_code], count) + within],
    )


def _items(media: Table, hashes: pa.Array) -> pa.Table:
    """uri, kind and code (index into the hashes) of the items whose content is complete, sorted by URI."""
    table = media.read(["uri", "kind", "content_hash"], where="content_hash IS NOT NULL")
    table = table.append_column("code", pc.index_in(table["content_hash"], value_set=hashes))
    return table.filter(pc.is_valid(table["code"])).sort_by("uri")


def _rows(features: Table, hashes: pa.Array, num_rows: NDArray[Any]) -> tuple[Longs, Longs]:
    """Code and offset of the rows that count, sorted by code, then position."""
    codes, positions, offsets = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    seen = 0
    for part in _large_parts(features.scan(["content_hash", "position"])):
        code = pc.fill_null(pc.index_in(part["content_hash"], value_set=hashes), -1).to_numpy().astype(np.int64)
        position = part["position"].to_numpy()
        counts = np.flatnonzero(code >= 0)
        counts = counts[position[counts] < num_rows[code[counts]]]
        codes.append(code[counts])
        positions.append(position[counts])
        offsets.append(counts + seen)
        seen += part.num_rows
    code, position = np.concatenate(codes), np.concatenate(positions)
    order = np.lexsort((position, code))
    return code[order], np.concatenate(offsets)[order]


def _large_parts(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The batches in tables of a million rows and more: each look-up of hashes builds its own hash table first."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(one.num_rows for one in held) >= _PART_ROWS:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)
