"""Reading a space: in batches of flat memory, or whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visfeat.store.join import Join
from visfeat.store.schemas import values_of
from visfeat.store.selection import Space
from visfeat.store.tables import Table

BATCH_ROWS = 8192
BATCH_BYTES = 64 * 2**20
_TIMES = ("start_s", "end_s", "frame_index")


@dataclass(frozen=True, slots=True)
class SpaceReader:
    """The rows of one space at one moment of its store, one an item and position.

    They come sorted by URI, then position, each with uri, kind, start_s, end_s, frame_index (null for images),
    and labels where the recipe asked for them.
    """

    space: Space
    table: Table
    join: Join

    def __len__(self) -> int:
        return len(self.join)

    @property
    def columns(self) -> list[str]:
        """The stored columns that go with a vector."""
        names = self.table.schema.names
        return [*_TIMES, *(name for name in ("frame_indices", "labels") if name in names)]

    def rows_in(self, num_bytes: int) -> int:
        """How many float32 rows fit that many bytes; between 1 and 8192."""
        return max(1, min(BATCH_ROWS, num_bytes // (4 * self._width)))

    @property
    def _width(self) -> int:
        return int(np.prod(self.space.layer.shape))

    def batches(self, batch_rows: int | None = None) -> Iterator[tuple[NDArray[np.float32], pa.Table]]:
        """float32 ``(n, *shape)`` with a table of n rows at a time; by default as many as fit 64 MB."""
        size = batch_rows or self.rows_in(BATCH_BYTES)
        for start in range(0, len(self), size):
            yield self.rows(start, min(start + size, len(self)))

    def rows(self, start: int, stop: int) -> tuple[NDArray[np.float32], pa.Table]:
        """Rows ``[start, stop)``: float32 ``(n, *shape)`` and their table."""
        return self.at(np.arange(start, stop))

    def at(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.float32], pa.Table]:
        """The rows of these indices: float32 ``(n, *shape)`` and their table."""
        offsets, back = np.unique(self.join.offset[indices], return_inverse=True)
        stored = self.table.take(offsets, ["vector", *self.columns])
        values = values_of(stored["vector"], self.space.layer.shape)
        return values[back], self._described(indices, stored.select(self.columns).take(pa.array(back)))

    def metadata_at(self, indices: NDArray[np.int64]) -> pa.Table:
        """The table of the rows of these indices, without their vectors."""
        offsets, back = np.unique(self.join.offset[indices], return_inverse=True)
        return self._described(indices, self.table.take(offsets, self.columns).take(pa.array(back)))

    def metadata_batches(self) -> Iterator[pa.Table]:
        """The table of ``metadata`` in parts, in flat memory."""
        for start in range(0, len(self), BATCH_ROWS):
            yield self.metadata_at(np.arange(start, min(start + BATCH_ROWS, len(self))))

    def metadata(self) -> pa.Table:
        """The table of all rows, without their vectors."""
        stored = pa.Table.from_batches(self.table.scan(self.columns), self._stored_schema())
        return self._described(np.arange(len(self)), stored.take(pa.array(self.join.offset)))

    def all_values(self) -> NDArray[np.float32]:
        """All vectors, float32 ``(N, *shape)``: one sequential scan, whatever the order of the rows."""
        values = np.empty((len(self), *self.space.layer.shape), np.float32)
        order = np.argsort(self.join.offset, kind="stable")
        wanted = self.join.offset[order]
        for start, stored in self.stored_values():
            first, last = np.searchsorted(wanted, [start, start + len(stored)])
            if last > first:
                values[order[first:last]] = stored[wanted[first:last] - start]
        return values

    def stored_values(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Vectors in the order in which they are stored, as ``join.offset`` counts them, in flat memory.

        Yields the offset of the first of a batch, and float32 ``(n, *shape)``. Rows that do not count are among
        them, and copies are not: what is computed once a stored row is cheapest computed here.
        """
        start = 0
        for batch in self.table.scan(["vector"], batch_rows=self.rows_in(BATCH_BYTES)):
            yield start, values_of(batch["vector"], self.space.layer.shape)
            start += batch.num_rows

    def stored_at(self, offsets: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of stored rows by their offsets: float32 ``(n, *shape)``."""
        return values_of(self.table.take(offsets, ["vector"])["vector"], self.space.layer.shape)

    def _stored_schema(self) -> pa.Schema:
        schema = self.table.schema
        return pa.schema([schema.field(name) for name in self.columns])

    def _described(self, indices: NDArray[np.int64], stored: pa.Table) -> pa.Table:
        """Put URI and kind before the stored columns."""
        items = self.join.item[indices]
        uris = pa.DictionaryArray.from_arrays(pa.array(items), pa.array(self.join.uris, pa.string()))
        kinds = pa.DictionaryArray.from_arrays(pa.array(items), pa.array(self.join.kinds, pa.string()))
        table = pa.table({"uri": uris.cast(pa.string()), "kind": kinds.cast(pa.string())})
        for name in stored.schema.names:
            table = table.append_column(name, stored[name])
        return table
