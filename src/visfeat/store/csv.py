"""CSV: which item and time each row of a space belongs to, and the table of items; no vectors."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from visfeat.store.exporter import described, stem_of, whole_file
from visfeat.store.labels import predicted_labels
from visfeat.store.reading import SpaceReader

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore


class CsvExporter:
    """Writes ``items.csv`` (one line an item) and one file a space (one line a row, in the order of ``features``).

    Where labels were predicted, ``labels.csv`` has them.
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
        spaces = store.spaces(model, layer, recipe)
        written = [write_csv(out / "items.csv", [store.items()])]
        for space in spaces:
            written.append(write_csv(out / f"{stem_of(space)}.csv", described_parts(store.read_space(space))))
        predicted = predicted_labels(store)
        if predicted.num_rows:
            written.append(write_csv(out / "labels.csv", [predicted]))
        return written


def described_parts(reader: SpaceReader) -> Iterator[pa.Table]:
    """What the rows of a space belong to, a part at a time; one part without rows where there are none."""
    if len(reader) == 0:
        yield described(reader.metadata(), reader.space)
    for part in reader.metadata_batches():
        yield described(part, reader.space)


def write_csv(path: Path, tables: Iterable[pa.Table]) -> Path:
    """Write tables of equal columns under one heading: UTF-8, nulls empty, lists as JSON."""
    with whole_file(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for number, table in enumerate(tables):
            if number == 0:
                writer.writerow(table.schema.names)
            columns = [[_cell(value) for value in column.to_pylist()] for column in table.columns]
            writer.writerows(zip(*columns, strict=True))
    return path


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
