"""Parquet: one file a space, with the columns uri, kind, model, layer, start_s, end_s, frame_index, vector.

Rows of clips also have ``frame_indices``, rows of a recipe that asked for class names ``labels``. Where labels were
predicted, ``labels.parquet`` has them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from visfeat.store.exporter import described, stem_of, whole_file
from visfeat.store.labels import predicted_labels
from visfeat.store.schemas import vectors
from visfeat.store.selection import Space

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore

_TEXTS = ["uri", "kind", "model", "layer"]
_COLUMNS = [*_TEXTS, "start_s", "end_s", "frame_index"]


class ParquetExporter:
    """Streams rows into Parquet in flat memory; float16 becomes float32, which every reader knows.

    The file's metadata holds the recipe, the model's card and the shape of a value, which is stored flattened.
    """

    def export(
        self,
        store: FeatureStore,
        out: Path,
        *,
        model: str | None = None,
        layer: str | None = None,
        recipe: str | None = None,
    ) -> list[Path]:
        """See ``Exporter.export``."""
        written = [self._export_one(store, out, space) for space in store.spaces(model, layer, recipe)]
        predicted = predicted_labels(store)
        if predicted.num_rows:
            written.append(out / "labels.parquet")
            with whole_file(written[-1]) as scratch:
                pq.write_table(predicted, scratch)
        return written

    def _export_one(self, store: FeatureStore, out: Path, space: Space) -> Path:
        path = out / f"{stem_of(space)}.parquet"
        reader = store.read_space(space)
        further = [reader.table.schema.field(name) for name in reader.columns if name not in _COLUMNS]
        schema = parquet_schema(space, further)
        # A dictionary only slows down vectors, of which no two are equal, and so does compression.
        compression = dict.fromkeys(_COLUMNS, "zstd") | {"vector.list.element": "none"}
        with (
            whole_file(path) as scratch,
            pq.ParquetWriter(scratch, schema, use_dictionary=_TEXTS, compression=compression) as writer,
        ):
            for values, table in reader.batches():
                columns = described(table, space).append_column("vector", vectors(values))
                writer.write_table(columns.select(schema.names).cast(schema))
        return path


def parquet_schema(space: Space, further: Sequence[pa.Field] = ()) -> pa.Schema:
    """The columns of an exported space, ``further`` ones last, with what a reader needs to trust them as metadata."""
    size = 1
    for side in space.layer.shape:
        size *= side
    return pa.schema(
        [
            *((name, pa.string()) for name in _TEXTS),
            ("start_s", pa.float64()),
            ("end_s", pa.float64()),
            ("frame_index", pa.int64()),
            ("vector", pa.list_(pa.float32(), size)),
            *further,
        ],
        metadata={
            "visfeat:recipe": space.stored.recipe.to_toml(),
            "visfeat:recipe_digest": space.stored.digest,
            "visfeat:facts": json.dumps(dict(space.stored.facts)),
            "visfeat:card": space.stored.card_toml,
            "visfeat:shape": json.dumps(list(space.layer.shape)),
        },
    )
