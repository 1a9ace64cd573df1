"""The table of predicted labels in a store: by content, so that copies and moved files share them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from visfeat.frames import Label
from visfeat.store import layout
from visfeat.store.schemas import LABELS, key_field
from visfeat.store.tables import Table, text

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore

PREDICTED = "predicted_labels"
PREDICTED_SCHEMA = pa.schema(
    [
        key_field("key"),
        ("content_hash", pa.string()),
        ("classifier", pa.string()),
        ("classifier_digest", pa.string()),
        ("recipe_digest", pa.string()),
        ("layer", pa.string()),
        ("position", pa.int64()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("label", pa.string()),
        ("probability", pa.float32()),
        ("labels", LABELS),
    ]
)
"""One row an item (position -1, no times) and one a passage of a video; ``labels`` are the likeliest, the first too."""
WHOLE = -1
"""The position of the label of a whole item."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class LabelSource:
    """Who predicted: a classifier, a network's own classes, or texts; ``name`` is for people, and unique in a store."""

    name: str
    digest: str
    recipe_digest: str
    layer: str


@dataclass(frozen=True, slots=True)
class PredictedLabel:
    """The likeliest classes of a content, or of its passage ``[start_s, end_s)``; both are None for all of it."""

    content_hash: str
    position: int
    start_s: float | None
    end_s: float | None
    label: str
    probability: float
    labels: tuple[Label, ...]


class LabelTable:
    """The predicted labels that a store knows."""

    def __init__(self, table: Table) -> None:
        """Use ``create_or_open``."""
        self._table = table

    @classmethod
    def create_or_open(cls, store: str | Path) -> Self:
        """The table of a store that is there; raises StoreError."""
        folder = Path(store).expanduser().absolute()
        layout.check(folder)
        return cls(Table.create_or_open(folder, PREDICTED, PREDICTED_SCHEMA))

    @classmethod
    def open(cls, store: str | Path) -> Self | None:
        """The same for reading; None where nothing was predicted. Raises StoreError."""
        folder = Path(store).expanduser().absolute()
        layout.check(folder)
        table = Table.open(folder, PREDICTED)
        return None if table is None else cls(table)

    def forget(self, name: str) -> None:
        """Delete all that a classifier of that name predicted."""
        self._table.delete_where_in("classifier", [name])

    def add(self, source: LabelSource, predicted: Iterable[PredictedLabel]) -> None:
        """Keep predictions in place of earlier ones of the same name, content and position."""
        rows = [_row(source, one) for one in predicted]
        self._table.upsert(pa.Table.from_pylist(rows, schema=PREDICTED_SCHEMA))
        self._table.compact_if_scattered()

    def read(self, name: str | None = None) -> pa.Table:
        """All rows, or those of a classifier, without their keys, sorted by classifier, content and position."""
        where = None if name is None else f"classifier = {text(name)}"
        found = self._table.read(PREDICTED_SCHEMA.names[1:], where=where)
        return found.sort_by([(column, "ascending") for column in ("classifier", "content_hash", "position")])


def predicted_labels(store: FeatureStore, name: str | None = None) -> pa.Table:
    """Predicted labels by item: uri, classifier, start_s, end_s, label, probability, labels; copies have the same.

    Sorted by classifier, URI and time, the label of the whole item first (without times). No rows where nothing was
    predicted.
    """
    columns = ["uri", "classifier", "start_s", "end_s", "label", "probability", "labels"]
    table = LabelTable.open(store.path)
    items = store.items().select(["uri", "content_hash"])
    items = items.filter(pc.is_valid(items["content_hash"]))
    predicted = PREDICTED_SCHEMA.empty_table() if table is None else table.read(name)
    at: dict[str, list[int]] = defaultdict(list)
    for index, content_hash in enumerate(predicted["content_hash"].to_pylist()):
        at[content_hash].append(index)
    pairs = [(uri, index) for uri, content in zip(*items.to_pydict().values(), strict=True) for index in at[content]]
    rows = predicted.take(pa.array([index for _, index in pairs], pa.int64()))
    rows = rows.append_column("uri", pa.array([uri for uri, _ in pairs], pa.string()))
    order = [(column, "ascending") for column in ("classifier", "uri", "position")]
    return rows.sort_by(order).select(columns)


def overview(store: Path) -> dict[str, list[dict[str, Any]]]:
    """``labels``: of each classifier its name, recipe, how much it labeled, and its most frequent classes.

    Empty where nothing was predicted.
    """
    table = LabelTable.open(store)
    if table is None:
        return {}
    known: dict[str, list[dict[str, Any]]] = defaultdict(list)
    columns = ["classifier", "recipe_digest", "layer", "position", "label"]
    for row in table.read().select(columns).to_pylist():
        known[row["classifier"]].append(row)
    found = [_overview(name, rows) for name, rows in sorted(known.items())]
    return {"labels": found} if found else {}


def _overview(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    whole = [row for row in rows if row["position"] == WHOLE]
    counts = Counter(row["label"] for row in whole)
    return {
        "classifier": name,
        "recipe": rows[0]["recipe_digest"],
        "layer": rows[0]["layer"],
        "contents": len(whole),
        "passages": len(rows) - len(whole),
        "classes": len(counts),
        "most": dict(counts.most_common(_SHOWN)),
    }


def _row(source: LabelSource, one: PredictedLabel) -> dict[str, Any]:
    return {
        "key": f"{one.content_hash}:{one.position}:{source.name}",
        "content_hash": one.content_hash,
        "classifier": source.name,
        "classifier_digest": source.digest,
        "recipe_digest": source.recipe_digest,
        "layer": source.layer,
        "position": one.position,
        "start_s": one.start_s,
        "end_s": one.end_s,
        "label": one.label,
        "probability": one.probability,
        "labels": [{"name": label.name, "probability": label.probability} for label in one.labels],
    }
