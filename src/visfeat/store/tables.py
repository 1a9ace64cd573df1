"""One table of a store: a Lance dataset that is created once, merged into, scanned and taken from.

Every write is one atomic commit. Writers in other processes are welcome: a commit that meets another one is
tried again on top of it, and the key's metadata (see ``schemas``) keeps two of them from inserting the same key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visfeat.errors import StoreError, UsageError

# Read when Lance is imported: a commit that was tried again is no news for the terminal.
os.environ.setdefault("LANCE_LOG", "error")
import lance

SUFFIX = ".lance"
_RETRIES = 50
_RETRY_TIMEOUT = timedelta(minutes=5)
_KEYS_A_DELETE = 1000

_MANY_FRAGMENTS = 100
_SMALL_FRAGMENT_BYTES = 16 * 2**20
_COMPACT_FRAGMENT_BYTES = 64 * 2**20
_KEEP_VERSIONS = timedelta(days=1)
_TEXT_BYTES = 40
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")


class Table:
    """A Lance dataset at the version that it had when it was opened, or that the last own write made."""

    def __init__(self, dataset: lance.LanceDataset, path: Path) -> None:
        self._dataset: Any = dataset
        self.path = path

    @classmethod
    def open(cls, folder: Path, name: str) -> Table | None:
        """Open the table at its newest version, or None where there is none."""
        path = folder / f"{name}{SUFFIX}"
        if not path.is_dir():
            return None
        try:
            return cls(lance.dataset(str(path)), path)
        except (ValueError, OSError) as error:
            if "not found" in str(error):
                return None  # its maker was stopped before the first commit
            raise StoreError(f"{path}: cannot be opened ({_first_line(error)})") from error

    @classmethod
    def create_or_open(cls, folder: Path, name: str, schema: pa.Schema) -> Table:
        """Open the table, or create an empty one; of two processes that create it, one opens the other's."""
        table = cls.open(folder, name)
        if table is not None:
            return table
        path = folder / f"{name}{SUFFIX}"
        try:
            return cls(lance.write_dataset(schema.empty_table(), str(path), schema=schema, mode="create"), path)
        except (OSError, ValueError, RuntimeError) as error:
            table = cls.open(folder, name)
            if table is None:
                raise StoreError(f"{path}: cannot be created ({_first_line(error)})") from error
            return table

    @property
    def schema(self) -> pa.Schema:
        """Columns, with their metadata."""
        return self._dataset.schema

    def __len__(self) -> int:
        return int(self._dataset.count_rows())

    def insert_missing(self, rows: pa.Table) -> None:
        """Insert the rows whose keys are not there yet; keys must be unique within ``rows``."""
        self._merge(rows, update=False)

    def upsert(self, rows: pa.Table) -> None:
        """Insert rows, in place of those of the same key; keys must be unique within ``rows``."""
        self._merge(rows, update=True)

    def _merge(self, rows: pa.Table, *, update: bool) -> None:
        if rows.num_rows == 0:
            return
        with self._errors_named("written"):
            self._dataset.checkout_latest()
            merge = self._dataset.merge_insert(self.schema.field(0).name).when_not_matched_insert_all()
            if update:
                merge = merge.when_matched_update_all()
            # Never by an index on the key: measured, two writers that use one do insert the same key twice. Without
            # it 4,000 rows merge into 3 million in 0.2 s.
            merge = merge.use_index(False)
            merge.conflict_retries(_RETRIES).retry_timeout(_RETRY_TIMEOUT).execute(rows)

    def delete_where_in(self, column: str, values: Sequence[str], *, also: str | None = None) -> None:
        """Delete the rows whose column holds one of the values and that meet the condition ``also``."""
        for start in range(0, len(values), _KEYS_A_DELETE):
            condition = is_in(column, values[start : start + _KEYS_A_DELETE])
            if also is not None:
                condition = f"{condition} AND {also}"
            with self._errors_named("written"):
                self._dataset.checkout_latest()
                self._dataset.delete(condition, conflict_retries=_RETRIES, retry_timeout=_RETRY_TIMEOUT)

    def compact_if_scattered(self) -> None:
        """Join the many small files that many small commits leave; tables of large commits stay as they are."""
        self._dataset.checkout_latest()
        fragments = len(self._dataset.get_fragments())
        row_bytes = sum(_width_bytes(field.type) for field in self.schema)
        if fragments < _MANY_FRAGMENTS or len(self) * row_bytes > fragments * _SMALL_FRAGMENT_BYTES:
            return
        try:
            self._dataset.optimize.compact_files(target_rows_per_fragment=max(1, _COMPACT_FRAGMENT_BYTES // row_bytes))
            self._dataset.cleanup_old_versions(older_than=_KEEP_VERSIONS)
        except OSError as error:
            if "conflict" not in str(error):
                raise StoreError(f"{self.path}: cannot be compacted ({_first_line(error)})") from error
            # Another process wrote or compacted at the same moment: there will be a next time.

    def read(self, columns: Sequence[str], *, where: str | None = None) -> pa.Table:
        """Some columns of all rows that meet a condition."""
        with self._errors_named("read"):
            return self._dataset.to_table(columns=list(columns), filter=where)

    def read_chosen(self, columns: Sequence[str], condition: str) -> pa.Table:
        """As ``read``, by a condition that a person wrote; raises UsageError that says what is wrong with it."""
        _check_parentheses(condition)
        with self._errors_named("read"):
            try:
                # Lance stops reading where a condition could end: in parentheses it must be all of the text.
                return self._dataset.to_table(columns=list(columns), filter=f"({condition}\n)")
            except ValueError:
                raise UsageError(self._against(condition)) from None

    def _against(self, condition: str) -> str:
        """What is wrong with a condition that Lance cannot follow, in Lance's words where it has any."""
        try:
            self._dataset.to_table(columns=[], filter=condition, with_row_id=True, limit=1)
        except ValueError as error:
            return _first_line(error).removeprefix("Invalid user input: ")
        return "it is followed by something that is no part of it (is an and or an or missing?)"

    def scan(self, columns: Sequence[str], *, batch_rows: int = 65536) -> Iterator[pa.RecordBatch]:
        """Some columns of all rows, a batch at a time, in the order that ``take`` counts in."""
        with self._errors_named("read"):
            yield from self._dataset.to_batches(columns=list(columns), batch_size=batch_rows, scan_in_order=True)

    def addresses(self) -> NDArray[np.int64]:
        """What names each row for as long as it is there: int64 ``(N,)``, in the order that ``take`` counts in.

        A row that is joined with others into a larger file, as ``compact_if_scattered`` does, has another one then.
        """
        with self._errors_named("read"):
            scanner = self._dataset.scanner(columns=[], with_row_address=True, scan_in_order=True)
            found: NDArray[np.int64] = scanner.to_table()["_rowaddr"].to_numpy().astype(np.int64)
            return found

    def take(self, offsets: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Some columns of the rows at these offsets, in their order."""
        with self._errors_named("read"):
            return self._dataset.take(pa.array(offsets), columns=list(columns))

    @contextmanager
    def _errors_named(self, done: str) -> Iterator[None]:
        """Raise what Lance raises as a StoreError that names the table."""
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            raise StoreError(f"{self.path}: cannot be {done} ({_first_line(error)})") from error


def _width_bytes(kind: pa.DataType) -> int:
    """About how many bytes a value of that type takes on disk."""
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size) * int(kind.value_type.bit_width) // 8
    return int(kind.bit_width) // 8 if pa.types.is_primitive(kind) else _TEXT_BYTES


def text(value: str) -> str:
    """A string as a literal of a filter."""
    return "'" + value.replace("'", "''") + "'"


def is_in(column: str, values: Sequence[str]) -> str:
    """The filter for a column that holds one of the values."""
    return f"{column} IN ({', '.join(text(value) for value in values)})"


def _check_parentheses(condition: str) -> None:
    """Raise UsageError where one closes that none has opened, outside of quotes."""
    depth = 0
    for sign in _QUOTED.sub("", condition):
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            raise UsageError("a parenthesis is closed that was not opened")


def _first_line(error: Exception) -> str:
    """Lance's message without the source position that it ends with."""
    return str(error).partition("\n")[0].partition(", /")[0]
