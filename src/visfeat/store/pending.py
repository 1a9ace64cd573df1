"""What a writer holds between two commits: rows by layer, outcomes by key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from visfeat.errors import StoreError
from visfeat.store.records import ItemRecord, LayerShape, Rows, Status
from visfeat.store.schemas import EXTRACTIONS_SCHEMA, LABELS, MEDIA_SCHEMA, vectors


class PendingRows:
    """Rows of one layer that wait for a commit: checked, cast to the store's dtype, each key once."""

    def __init__(self, layer: LayerShape, schema: pa.Schema) -> None:
        self._shape = layer.shape
        self._schema = schema
        self._dtype = np.float16 if schema.field("vector").type.value_type == pa.float16() else np.float32
        self._parts: list[pa.Table] = []
        self._keys: set[str] = set()

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, rows: Rows) -> int:
        """Take a copy of the rows and return its bytes; raises StoreError for a wrong shape or a value not finite."""
        if rows.values.shape[1:] != self._shape:
            raise StoreError(f"layer {rows.layer}: rows must have shape {self._shape}; got {rows.values.shape[1:]}")
        with np.errstate(over="ignore"):  # too large for float16 becomes infinite, which is refused
            values = np.array(rows.values, dtype=self._dtype)
        if not np.isfinite(values).all():
            raise StoreError(
                f"layer {rows.layer}: values that are not finite in {np.dtype(self._dtype)} are no feature"
            )
        part = pa.table(self._columns(rows, values), schema=self._schema)
        fresh = [key not in self._keys for key in part["key"].to_pylist()]
        if not all(fresh):
            part = part.filter(pa.array(fresh))
        self._keys.update(part["key"].to_pylist())
        self._parts.append(part)
        return values.nbytes

    def _columns(self, rows: Rows, values: np.ndarray[Any, Any]) -> list[pa.Array]:
        positions = range(rows.first_position, rows.first_position + len(rows))
        no_index = rows.frame_index < 0
        columns = [
            pa.array([f"{rows.content_hash}:{position}" for position in positions], pa.string()),
            pa.array([rows.content_hash] * len(rows), pa.string()),
            pa.array(positions, pa.int64()),
            # from_pandas: NaN, the time of an image, becomes null.
            pa.array(np.asarray(rows.start_s, np.float64), from_pandas=True),
            pa.array(np.asarray(rows.end_s, np.float64), from_pandas=True),
            pa.array(np.asarray(rows.frame_index, np.int64), mask=no_index),
            vectors(values),
        ]
        if "labels" in self._schema.names:
            columns.append(_labels(rows))
        return columns

    def take(self) -> pa.Table:
        """All rows as one table of one chunk; none are left here."""
        table = pa.concat_tables(self._parts) if self._parts else self._schema.empty_table()
        self._parts, self._keys = [], set()
        return table.combine_chunks()


def _labels(rows: Rows) -> pa.Array:
    if not rows.labels:
        return pa.nulls(len(rows), LABELS)
    entries = [[{"name": label.name, "probability": label.probability} for label in row] for row in rows.labels]
    return pa.array(entries, LABELS)


class PendingOutcomes:
    """Outcomes that wait for a commit; of two of one key the last counts."""

    def __init__(self, recipe_digest: str) -> None:
        self._recipe_digest = recipe_digest
        self._media: dict[str, dict[str, Any]] = {}
        self._extractions: dict[str, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self._media)

    def add_item(self, record: ItemRecord) -> None:
        """The item's own row."""
        self._media[record.item.uri] = media_row(record)

    def add_extraction(self, record: ItemRecord, num_rows: int) -> None:
        """The row of the item's content under this recipe."""
        content_hash = record.item.content_hash
        key = f"{content_hash}:{self._recipe_digest}"
        self._extractions[key] = {
            "key": key,
            "content_hash": content_hash,
            "recipe_digest": self._recipe_digest,
            "status": record.status.value,
            "reason": record.reason,
            "num_rows": 0 if record.status is Status.FAILED else num_rows,
        }

    def take(self) -> tuple[pa.Table, pa.Table]:
        """The rows for the tables of extractions and of media; none are left here."""
        extractions = _table(list(self._extractions.values()), EXTRACTIONS_SCHEMA)
        media = _table(list(self._media.values()), MEDIA_SCHEMA)
        self._extractions, self._media = {}, {}
        return extractions, media


def _table(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)


def media_row(record: ItemRecord) -> dict[str, Any]:
    """An outcome as a row of MEDIA_SCHEMA; what is not known is None."""
    item, info = record.item, record.info
    row: dict[str, Any] = {
        "uri": item.uri,
        "kind": item.kind.value if item.kind is not None else None,
        "format": item.format or None,
        "size_bytes": item.size_bytes,
        "mtime_ns": item.mtime_ns,
        "content_hash": item.content_hash or None,
        "status": record.status.value,
        "reason": record.reason,
    }
    if info is not None:
        row |= {
            "width": info.width,
            "height": info.height,
            "num_frames": info.num_frames,
            "duration_s": info.duration_s,
            "start_time_s": info.start_time_s,
            "average_fps": None if info.average_fps is None else str(info.average_fps),
            "codec": info.codec or None,
            "rotation": info.rotation,
            "notes": list(info.notes),
        }
    return row
