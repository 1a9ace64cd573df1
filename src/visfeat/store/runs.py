"""The table of runs in a store: how many rows an extraction made of a recipe, and in what time."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from visfeat.store.schemas import key_field
from visfeat.store.tables import Table, text

RUNS = "runs"
RUNS_SCHEMA = pa.schema(
    [
        key_field("key"),
        ("recipe_digest", pa.string()),
        ("finished_at", pa.string()),
        ("rows", pa.int64()),
        ("seconds", pa.float64()),
        ("recipes", pa.int64()),
    ]
)
"""One row a run and recipe: ``rows`` vectors of one layer within ``seconds`` from the first file to the last commit,
beside so many ``recipes`` (itself included) that shared the time. ``finished_at`` is ISO 8601 in UTC."""


def add_run(store: Path, recipe_digest: str, *, rows: int, seconds: float, recipes: int) -> None:
    """Note a run of which rows came; raises StoreError."""
    row = {
        "key": uuid.uuid4().hex,
        "recipe_digest": recipe_digest,
        "finished_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "rows": rows,
        "seconds": seconds,
        "recipes": recipes,
    }
    table = Table.create_or_open(store, RUNS, RUNS_SCHEMA)
    table.upsert(pa.Table.from_pylist([row], schema=RUNS_SCHEMA))
    table.compact_if_scattered()


def rows_per_s(store: Path, recipe_digest: str) -> float | None:
    """Rows a second over all runs of this recipe alone, reading and decoding included; None where there was none.

    What ran beside other recipes says nothing of one of them.
    """
    table = Table.open(store, RUNS)
    if table is None:
        return None
    found = table.read(["rows", "seconds"], where=f"recipe_digest = {text(recipe_digest)} AND recipes = 1")
    seconds = sum(found["seconds"].to_pylist())
    return sum(found["rows"].to_pylist()) / seconds if seconds > 0 else None
