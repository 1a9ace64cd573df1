"""The index of a space, kept in the store's folder: built on request, never wrong, only slower as it ages.

It knows rows by the addresses that the store gives them. Rows that came later have others and are compared exactly
beside it; rows that are gone are left out of its answers. ``indexes/TABLE.json`` names the folder of the files, so that
a new index takes the place of an old one at once.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import MissingExtra, StoreError, UsageError
from visfeat.search.best import recall_at
from visfeat.search.faiss_index import FaissIndex
from visfeat.search.index import EXACT_ROWS, ExactIndex, ListIndex, build_lists
from visfeat.search.inverted import InvertedIndex

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore
    from visfeat.store.reading import SpaceReader

FOLDER = "indexes"
FORMAT = 1
K, WANTED_RECALL = 10, 0.97
"""What the number of lists to look into is chosen for, on rows of the store's own."""
_TRIED_ROWS = 200
_NUMPY, _FAISS = "numpy", "faiss"
Report = Callable[[str], None]


@dataclass(frozen=True)
class StoredIndex:
    """An index as its files hold it; its ``ids`` are addresses of rows."""

    index: ListIndex
    probes: int
    """In how many lists a question is looked for."""
    recall: float
    """Recall@10 with so many, of rows that were tried when it was built."""


@dataclass(frozen=True)
class Built:
    """What building an index came to."""

    path: Path
    rows: int
    probes: int
    recall: float
    size_bytes: int
    seconds: float


def build_stored_index(
    store: FeatureStore,
    *,
    model: str | None = None,
    layer: str | None = None,
    recipe: str | None = None,
    report: Report = lambda _: None,
) -> Built:
    """Build the index of the one space that fits, or keep it where it knows the very rows of now.

    Takes the memory of twice the vectors as float32. Raises UsageError where there are no rows, StoreError.
    """
    started = time.monotonic()
    reader = store.reader(model, layer, recipe)
    if len(reader) == 0:
        raise UsageError(f"the store has no rows of {reader.space}; visfeat extract FOLDER --store STORE makes some")
    addresses = reader.table.addresses()
    known = _sound(store.path, reader)
    if known is None or not np.array_equal(np.sort(known.index.ids), np.sort(addresses)):
        report(f"indexing {len(addresses)} rows of {reader.space}")
        known = _built(reader, addresses)
        _keep(store.path, reader, known)
        if known.probes > known.index.lists // 4 and len(addresses) > EXACT_ROWS:
            lists = f"{known.probes} of {known.index.lists} lists"
            report(f"a question looks into {lists}: these rows are hardly grouped, and --exact may be as fast")
    folder = _folder(store.path, reader)
    assert folder is not None
    size_bytes = sum(file.stat().st_size for file in folder.iterdir())
    return Built(folder, len(addresses), known.probes, known.recall, size_bytes, time.monotonic() - started)


def open_stored_index(store: Path, reader: SpaceReader) -> StoredIndex | None:
    """The index of a space, its rows left on disk until they are looked at; None where there is none.

    Raises StoreError where it is damaged.
    """
    folder = _folder(store, reader)
    if folder is None:
        return None
    try:
        about = json.loads((folder / "about.json").read_text("utf-8"))
        index = _opened(folder, str(about["engine"]))
        return StoredIndex(index, int(about["probes"]), float(about["recall"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder}: damaged ({error}); visfeat index {store} builds it anew") from None


def _sound(store: Path, reader: SpaceReader) -> StoredIndex | None:
    """The index of a space; None where there is none, or a damaged one, which is built anew."""
    try:
        return open_stored_index(store, reader)
    except StoreError:
        return None


def drop_stored_index(
    store: FeatureStore, *, model: str | None = None, layer: str | None = None, recipe: str | None = None
) -> bool:
    """Remove the index of the one space that fits; whether there was one."""
    pointer = _pointer(store.path, store.reader(model, layer, recipe))
    was_there = pointer.is_file()
    pointer.unlink(missing_ok=True)
    for folder in pointer.parent.glob(f"{pointer.stem}.*/"):
        shutil.rmtree(folder, ignore_errors=True)
    return was_there


def _built(reader: SpaceReader, addresses: NDArray[np.int64]) -> StoredIndex:
    """Index all stored rows, and try how many lists must be looked into."""
    values = np.empty((len(addresses), int(np.prod(reader.space.layer.shape))), np.float32)
    for start, stored in reader.stored_values():
        values[start : start + len(stored)] = stored.reshape(len(stored), -1)
    index = build_lists(values, ids=addresses)
    drawn = np.random.default_rng(1).choice(len(values), min(_TRIED_ROWS, len(values)), replace=False)
    truth = addresses[ExactIndex(values).search(values[drawn], min(K, len(values)))[0]]
    probes, recall = 1, 0.0
    while True:
        recall = recall_at(index.search(values[drawn], K, probes=probes)[0], truth)
        if recall >= WANTED_RECALL or probes >= index.lists:
            return StoredIndex(index, probes, recall)
        probes *= 2


def _opened(folder: Path, engine: str) -> ListIndex:
    """Raises MissingExtra where faiss built it and is not installed, OSError, ValueError."""
    if engine == _NUMPY:
        return InvertedIndex.open(folder)
    try:
        return FaissIndex.open(folder)
    except ModuleNotFoundError:
        raise MissingExtra(f"the index {folder} (faiss; --exact does without)", extra="index") from None


def _keep(store: Path, reader: SpaceReader, built: StoredIndex) -> None:
    """Write the files into a folder of their own, then let the name lead to it; the old folder goes."""
    pointer, before = _pointer(store, reader), None
    with suppress(StoreError):  # a damaged one leads nowhere
        before = _folder(store, reader)
    try:
        pointer.parent.mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=pointer.parent, prefix=f"{reader.space.table_name}."))
        built.index.save(folder)
        engine = _NUMPY if isinstance(built.index, InvertedIndex) else _FAISS
        about = {
            "format": FORMAT,
            "engine": engine,
            "probes": built.probes,
            "recall": built.recall,
            "rows": len(built.index),
        }
        (folder / "about.json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")
        scratch = folder / "pointer.json"
        scratch.write_text(json.dumps({"format": FORMAT, "folder": folder.name}) + "\n", "utf-8")
        os.replace(scratch, pointer)
    except OSError as error:
        raise StoreError(f"{pointer}: cannot be written ({error.strerror or error})") from error
    if before is not None:
        shutil.rmtree(before, ignore_errors=True)


def _pointer(store: Path, reader: SpaceReader) -> Path:
    return store / FOLDER / f"{reader.space.table_name}.json"


def _folder(store: Path, reader: SpaceReader) -> Path | None:
    """Where the files lie; None where there is no index, or one of another format, which is built anew."""
    pointer = _pointer(store, reader)
    try:
        said = json.loads(pointer.read_text("utf-8"))
        if said["format"] != FORMAT:
            return None
        name = said["folder"]
        # It is removed when a new one takes its place: it must be ours.
        if name != Path(name).name or not name.startswith(f"{pointer.stem}."):
            raise ValueError(f"{name!r} is no folder of an index")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{pointer}: damaged ({error}); visfeat index {store} builds it anew") from None
    folder = pointer.parent / name
    return folder if folder.is_dir() else None
