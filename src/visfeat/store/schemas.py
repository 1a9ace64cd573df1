"""The columns of a store's tables, and how a table of features is called.

The key of every table carries the metadata by which Lance refuses two rows of one key, also where two processes
insert at once. Without it in table and batch both rows would be kept.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visfeat.store.records import LayerShape

MEDIA, RECIPES, EXTRACTIONS = "media", "recipes", "extractions"
FEATURES_PREFIX = "features_"
_SHAPE = b"visfeat:shape"
_LONGEST_NAME = 80


def key_field(name: str) -> pa.Field:
    """The column that names a row."""
    return pa.field(name, pa.string(), nullable=False, metadata={"lance-schema:unenforced-primary-key": "true"})


MEDIA_SCHEMA = pa.schema(
    [
        key_field("uri"),
        ("kind", pa.string()),
        ("format", pa.string()),
        ("size_bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("content_hash", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("num_frames", pa.int64()),
        ("duration_s", pa.float64()),
        ("start_time_s", pa.float64()),
        ("average_fps", pa.string()),
        ("codec", pa.string()),
        ("rotation", pa.int32()),
        ("notes", pa.list_(pa.string())),
        ("status", pa.string()),
        ("reason", pa.string()),
    ]
)
"""One row a URI: the outcome of the last run that touched it. ``average_fps`` is an exact fraction as text."""

RECIPES_SCHEMA = pa.schema(
    [
        key_field("digest"),
        ("name", pa.string()),
        ("model", pa.string()),
        ("recipe_toml", pa.string()),
        ("facts_json", pa.string()),
        ("card_toml", pa.string()),
        (
            "layers",
            pa.list_(pa.struct([("layer", pa.string()), ("table", pa.string()), ("shape", pa.list_(pa.int64()))])),
        ),
        ("created_at", pa.string()),
    ]
)
"""One row a recipe; ``facts_json`` is a list, the last entry belongs to the last run."""

EXTRACTIONS_SCHEMA = pa.schema(
    [
        key_field("key"),
        ("content_hash", pa.string()),
        ("recipe_digest", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("num_rows", pa.int64()),
    ]
)
"""One row a content and recipe: the truth about what is complete."""

LABELS = pa.list_(pa.struct([("name", pa.string()), ("probability", pa.float32())]))


def features_schema(shape: Sequence[int], *, dtype: str, labels: bool, clip: int | None = None) -> pa.Schema:
    """The columns of a space; ``vector`` is the flattened value, its real shape stands in the metadata.

    ``frame_index`` is the first frame of a row; rows of clips have all ``clip`` of them in ``frame_indices``.
    """
    value = pa.float16() if dtype == "float16" else pa.float32()
    fields = [
        key_field("key"),
        pa.field("content_hash", pa.string()),
        pa.field("position", pa.int64()),
        pa.field("start_s", pa.float64()),
        pa.field("end_s", pa.float64()),
        pa.field("frame_index", pa.int64()),
        pa.field("vector", pa.list_(value, int(np.prod(shape)))),
    ]
    if clip is not None:
        fields.append(pa.field("frame_indices", pa.list_(pa.int64(), clip)))
    if labels:
        fields.append(pa.field("labels", LABELS))
    return pa.schema(fields, metadata={_SHAPE: json.dumps(list(shape))})


def features_table_name(recipe_digest: str, layer: str) -> str:
    """The table of a recipe's layer: letters, digits, ``_``, ``-`` and ``.`` only; no two layers share one.

    >>> features_table_name("00ff", "layer1.0.relu")
    'features_00ff_layer1.0.relu'
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", layer)[:_LONGEST_NAME]
    if plain != layer or plain != plain.lower():
        # Also for capitals: some file systems do not tell them from small letters.
        plain += "-" + hashlib.sha256(layer.encode()).hexdigest()[:8]
    return f"{FEATURES_PREFIX}{recipe_digest}_{plain}"


def vectors(values: NDArray[np.floating[Any]]) -> pa.FixedSizeListArray:
    """An array ``(N, ...)`` as a column of N flattened rows."""
    flat = np.ascontiguousarray(values).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), int(np.prod(values.shape[1:])))


def values_of(column: pa.FixedSizeListArray | pa.ChunkedArray, shape: Sequence[int]) -> NDArray[np.float32]:
    """A column of vectors as float32 ``(N, *shape)``; without copying where it can be."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in chunks]
    flat = parts[0] if len(parts) == 1 else np.concatenate(parts or [np.empty(0, np.float32)])
    return flat.astype(np.float32, copy=False).reshape(-1, *shape)


def layer_shapes(entries: Sequence[dict[str, Any]]) -> tuple[LayerShape, ...]:
    """The layers of a row of RECIPES_SCHEMA."""
    return tuple(LayerShape(entry["layer"], tuple(entry["shape"])) for entry in entries)
