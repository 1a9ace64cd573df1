"""Recall: which share of the true nearest rows an index finds, measured on rows of the store itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError
from visfeat.search.best import recall_at
from visfeat.search.index import ExactIndex
from visfeat.search.indexed import IndexedRows

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore

K = 10
SAMPLED = 200


@dataclass(frozen=True)
class Recall:
    """recall@10 of an index, on ``queries`` rows drawn from the store, and the time of a query both ways."""

    recall: float
    queries: int
    rows: int
    later_rows: int
    """Rows that came after the index was built, which are compared exactly."""
    index_ms: float
    exact_ms: float

    @property
    def summary(self) -> str:
        """In one line."""
        later = f", {self.later_rows} of them since it was built" if self.later_rows else ""
        return (
            f"recall@{K} {self.recall:.3f} on {self.queries} of {self.rows} rows{later}: "
            f"{self.index_ms:.1f} ms a query by the index, {self.exact_ms:.1f} ms exactly"
        )


def check_recall(
    store: FeatureStore,
    *,
    model: str | None = None,
    layer: str | None = None,
    recipe: str | None = None,
    report: Callable[[str], None] = lambda _: None,
    seed: int = 0,
) -> Recall:
    """Search for 200 rows of the store, drawn by the seed, by its index and exactly, each itself left out.

    Raises UsageError where the space has no index.
    """
    reader = store.reader(model, layer, recipe)
    indexed = IndexedRows.of(store.path, reader)
    if indexed is None:
        raise UsageError(f"{reader.space}: there is no index to check; visfeat index {store.path} builds one")
    report(f"comparing with all {len(indexed)} rows")
    values = np.concatenate([rows.reshape(len(rows), -1) for _, rows in reader.stored_values()])
    drawn = np.random.default_rng(seed).choice(len(values), min(SAMPLED, len(values)), replace=False)
    exact = ExactIndex(values)
    truth, exact_ms = _timed(lambda query: exact.search(query, K + 1)[0], values, drawn)
    found, index_ms = _timed(lambda query: indexed.nearest(query, K + 1)[0], values, drawn)
    recall = recall_at(_without(found, drawn), _without(truth, drawn))
    return Recall(recall, len(drawn), len(values), indexed.later_rows, index_ms, exact_ms)


def _timed(
    search: Callable[[NDArray[np.float32]], NDArray[np.int64]], values: NDArray[np.float32], drawn: NDArray[np.int64]
) -> tuple[NDArray[np.int64], float]:
    """The answers to queries one by one, and the median of their times."""
    answers, times_ms = [], []
    for row in drawn.tolist():
        started = time.perf_counter()
        answers.append(search(values[row : row + 1]))
        times_ms.append(1000 * (time.perf_counter() - started))
    return np.concatenate(answers), float(np.median(times_ms))


def _without(found: NDArray[np.int64], drawn: NDArray[np.int64]) -> NDArray[np.int64]:
    """K answers each, without the query itself."""
    kept = [
        [one for one in row if one != itself][:K] for row, itself in zip(found.tolist(), drawn.tolist(), strict=True)
    ]
    return np.array([row + [-1] * (K - len(row)) for row in kept], np.int64)
