"""What an exporter is: a plugin that writes spaces of a store as files of another format."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import pyarrow as pa

from visfeat.errors import StoreError
from visfeat.store.schemas import FEATURES_PREFIX
from visfeat.store.selection import Space

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore


@runtime_checkable
class Exporter(Protocol):
    """A plugin of the group ``visfeat.exporters``; constructed without arguments."""

    def export(
        self,
        store: FeatureStore,
        out: Path,
        *,
        model: str | None = None,
        layer: str | None = None,
        recipe: str | None = None,
    ) -> list[Path]:
        """Write every space that fits (all by default) into the folder ``out`` and return the files.

        Files of an earlier export of the same space are replaced. Raises UsageError where no space fits and
        StoreError where a file cannot be written.
        """


def stem_of(space: Space) -> str:
    """The name of a space's files, without an ending: its recipe's name for people, then what makes it unique."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", space.stored.title)[:60]
    return f"{readable}_{space.table_name.removeprefix(FEATURES_PREFIX)}"


def described(table: pa.Table, space: Space) -> pa.Table:
    """The table of rows of a space with the columns ``model`` and ``layer`` behind ``kind``."""
    for position, name, value in ((2, "model", space.stored.recipe.model), (3, "layer", space.layer.layer)):
        table = table.add_column(position, name, pa.array([value] * table.num_rows, pa.string()))
    return table


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A scratch file beside ``path`` that takes its place when all went well; raises StoreError on OSError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        os.close(handle)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from error
    scratch = Path(name)
    try:
        yield scratch
        scratch.chmod(0o644)
        os.replace(scratch, path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        scratch.unlink(missing_ok=True)
