"""Tables that people write about their files: CSV or Parquet, a row a file, paths relative to the table."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from visfeat.errors import UsageError
from visfeat.media.item import path_of, uri_of

TABLES = (".csv", ".parquet")

TableRow: TypeAlias = Mapping[str, Any]


def read_table(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Sequence[TableRow]:
    """The rows of a CSV or Parquet file; of other columns than these nothing is promised.

    Raises UsageError where the file cannot be read, or where a required column is missing.
    """
    return _read_csv(path, required) if path.suffix.lower() == ".csv" else _read_parquet(path, required, optional)


def uri_beside(table: Path, uri: str) -> str:
    """The URI of a file that a table names, which may be a path relative to the table."""
    local = path_of(uri)
    return uri_of(local if os.path.isabs(local) else table.parent / local)


def text_in(row: TableRow, column: str) -> str:
    """What a row says there, without spaces around it; empty where it says nothing."""
    return "" if row.get(column) is None else str(row[column]).strip()


def _read_csv(path: Path, required: Sequence[str]) -> Sequence[TableRow]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _check_columns(path, reader.fieldnames or (), required)
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from None


def _read_parquet(path: Path, required: Sequence[str], optional: Sequence[str]) -> Sequence[TableRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from None
    _check_columns(path, table.column_names, required)
    wanted = [name for name in (*required, *optional) if name in table.column_names]
    rows: list[TableRow] = table.select(wanted).to_pylist()
    return rows


def _check_columns(path: Path, names: Sequence[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in names]
    if missing:
        raise UsageError(f"{path}: has no column {missing[0]} (there are {', '.join(names) or 'none'})")
