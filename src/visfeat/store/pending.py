"""What a writer holds between two commits: rows by layer, outcomes by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visfeat.errors import StoreError
from visfeat.store.records import ItemRecord, LayerShape, Rows, Status
from visfeat.store.schemas import EXTRACTIONS_SCHEMA, LABELS, MEDIA_SCHEMA, vectors


class PendingRows:
    """Rows of one layer that wait for a commit: checked, cast to the store's dtype, each key once."""

    def __init__(self, layer: LayerShape, schema: pa.Schema) -> None:
        self._shape = layer.shape
        self._schema = schema
        self._dtype: type[np.floating[Any]] = (
            np.float16 if schema.field("vector").type.value_type == pa.float16() else np.float32
        )
        self._parts: list[Rows] = []
        self._num_rows = 0

    def __len__(self) -> int:
        return self._num_rows

    def add(self, rows: Rows) -> int:
        """Take a copy of the rows and return its bytes; raises StoreError for a wrong shape or a value not finite."""
        if rows.values.shape[1:] != self._shape:
            raise StoreError(f"layer {rows.layer}: rows must have shape {self._shape}; got {rows.values.shape[1:]}")
        with np.errstate(over="ignore"):  # too large for float16 becomes infinite, which is refused
            values: NDArray[np.floating[Any]] = np.array(rows.values, dtype=self._dtype)
        if not np.isfinite(values).all():
            raise StoreError(
                f"layer {rows.layer}: values that are not finite in {np.dtype(self._dtype)} are no feature"
            )
        self._parts.append(replace(rows, values=values))
        self._num_rows += len(rows)
        return values.nbytes

    def take(self) -> pa.Table:
        """All rows as one table, of equal keys the first; none are left here."""
        parts, self._parts, self._num_rows = self._parts, [], 0
        if not parts:
            return self._schema.empty_table()
        table = pa.table(_columns(parts, self._schema), schema=self._schema)
        first = np.unique(table["key"].to_numpy(zero_copy_only=False), return_index=True)[1]
        return table if len(first) == table.num_rows else table.take(pa.array(np.sort(first)))


def _columns(parts: Sequence[Rows], schema: pa.Schema) -> list[pa.Array]:
    hashes = [rows.content_hash for rows in parts for _ in range(len(rows))]
    positions = [rows.first_position + index for rows in parts for index in range(len(rows))]
    frames = np.concatenate([rows.frame_index.reshape(len(rows), -1) for rows in parts]).astype(np.int64)
    columns = [
        pa.array([f"{content_hash}:{position}" for content_hash, position in zip(hashes, positions, strict=True)]),
        pa.array(hashes, pa.string()),
        pa.array(positions, pa.int64()),
        # from_pandas: NaN, the time of an image, becomes null.
        pa.array(np.concatenate([rows.start_s for rows in parts]).astype(np.float64), from_pandas=True),
        pa.array(np.concatenate([rows.end_s for rows in parts]).astype(np.float64), from_pandas=True),
        pa.array(frames[:, 0], mask=frames[:, 0] < 0),
        vectors(np.concatenate([rows.values for rows in parts])),
    ]
    if "frame_indices" in schema.names:
        columns.append(pa.FixedSizeListArray.from_arrays(pa.array(frames.reshape(-1)), frames.shape[1]))
    if "labels" in schema.names:
        columns.append(pa.array([entry for rows in parts for entry in _labels(rows)], LABELS))
    return columns


def _labels(rows: Rows) -> list[list[dict[str, Any]] | None]:
    """One list a row; None where nobody asked the network."""
    if not rows.labels:
        return [None] * len(rows)
    return [[{"name": label.name, "probability": label.probability} for label in row] for row in rows.labels]


class PendingOutcomes:
    """Outcomes that wait for a commit; of two of one key the last counts."""

    def __init__(self, recipe_digest: str) -> None:
        self._recipe_digest = recipe_digest
        self._media: dict[str, dict[str, Any]] = {}
        self._extractions: dict[str, dict[str, Any]] = {}

    def __len__(self) -> int:
        return max(len(self._media), len(self._extractions))

    def add_item(self, record: ItemRecord) -> None:
        """The item's own row."""
        self._media[record.item.uri] = media_row(record)

    def add_extraction(self, record: ItemRecord, num_rows: int) -> None:
        """The row of the item's content under this recipe."""
        self.add_content(record.item.content_hash, record.status, num_rows, record.reason)

    def add_content(self, content_hash: str, status: Status, num_rows: int, reason: str | None) -> None:
        """The row of a content under this recipe."""
        key = f"{content_hash}:{self._recipe_digest}"
        self._extractions[key] = {
            "key": key,
            "content_hash": content_hash,
            "recipe_digest": self._recipe_digest,
            "status": status.value,
            "reason": reason,
            "num_rows": 0 if status is Status.FAILED else num_rows,
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
