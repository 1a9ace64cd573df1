"""The table of shots in a store: by content, so that copies and moved files share them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, Self, SupportsFloat

import pyarrow as pa

from visfeat.store import layout
from visfeat.store.schemas import key_field
from visfeat.store.tables import Table, text

SHOTS = "shots"
SHOTS_SCHEMA = pa.schema(
    [
        key_field("key"),
        ("content_hash", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("start_frame", pa.int64()),
        ("end_frame", pa.int64()),
        ("probability", pa.float32()),
        ("threshold", pa.float32()),
        ("model_digest", pa.string()),
    ]
)
"""One row a shot: the frames ``[start_frame, end_frame)``, on display during ``[start_s, end_s)``."""


class ShotLike(Protocol):
    """What a row is made of."""

    @property
    def start_s(self) -> SupportsFloat:
        """When its first frame goes on display."""

    @property
    def end_s(self) -> SupportsFloat:
        """When its last frame ends."""

    @property
    def start_frame(self) -> int:
        """Its first frame."""

    @property
    def end_frame(self) -> int:
        """The frame after its last."""

    @property
    def probability(self) -> float:
        """Of the change with which it begins."""


class ShotTable:
    """The shots that a store knows."""

    def __init__(self, table: Table) -> None:
        """Use ``create_or_open``."""
        self._table = table

    @classmethod
    def create_or_open(cls, store: str | Path) -> Self:
        """The table of a store; both are made where they are missing. Raises StoreError for any other folder."""
        folder = Path(store).expanduser().absolute()
        layout.prepare(folder)
        return cls(Table.create_or_open(folder, SHOTS, SHOTS_SCHEMA))

    @classmethod
    def open(cls, store: str | Path) -> Self | None:
        """The table of a store that is there, for reading; None where no shots were recorded. Raises StoreError."""
        folder = Path(store).expanduser().absolute()
        layout.check(folder)
        table = Table.open(folder, SHOTS)
        return None if table is None else cls(table)

    def replace(self, content_hash: str, shots: Iterable[ShotLike], *, threshold: float, model_digest: str) -> None:
        """Keep these shots of a content in place of those that the same model found before."""
        rows = [
            {
                "key": f"{content_hash}:{model_digest[:16]}:{shot.start_frame}",
                "content_hash": content_hash,
                "start_s": float(shot.start_s),
                "end_s": float(shot.end_s),
                "start_frame": shot.start_frame,
                "end_frame": shot.end_frame,
                "probability": shot.probability,
                "threshold": threshold,
                "model_digest": model_digest,
            }
            for shot in shots
        ]
        self._table.delete_where_in("content_hash", [content_hash], also=f"model_digest = {text(model_digest)}")
        self._table.upsert(pa.Table.from_pylist(rows, schema=SHOTS_SCHEMA))
        self._table.compact_if_scattered()

    def read(self, content_hash: str | None = None) -> pa.Table:
        """All shots, or those of a content, without their keys, sorted by content and time."""
        where = None if content_hash is None else f"content_hash = {text(content_hash)}"
        found = self._table.read(SHOTS_SCHEMA.names[1:], where=where)
        return found.sort_by([("content_hash", "ascending"), ("start_frame", "ascending")])
