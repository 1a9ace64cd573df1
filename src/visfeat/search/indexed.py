"""A store's rows behind its index: what the index finds among the rows of now, and what came later, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visfeat.search.best import NOBODY, best_of
from visfeat.search.index import ExactIndex
from visfeat.search.stored_index import StoredIndex, open_stored_index
from visfeat.search.unit_vectors import Found, Values

if TYPE_CHECKING:
    from visfeat.store.reading import SpaceReader

_TAKEN_ROWS = 8192


@dataclass(frozen=True)
class IndexedRows:
    """The stored rows of a space, by offset as ``Join.offset`` counts them."""

    reader: SpaceReader
    stored: StoredIndex
    addresses: NDArray[np.int64]
    """Of all rows, in their order."""
    later: NDArray[np.int64]
    """Offsets of the rows that the index does not know, ascending."""

    @classmethod
    def of(cls, store: Path, reader: SpaceReader) -> IndexedRows | None:
        """The rows of a space with its index; None where it has none. Raises StoreError where that is damaged."""
        stored = open_stored_index(store, reader)
        if stored is None:
            return None
        addresses = reader.table.addresses()
        later = np.flatnonzero(~np.isin(addresses, stored.index.ids))
        return cls(reader, stored, addresses, later)

    def __len__(self) -> int:
        return len(self.addresses)

    @property
    def later_rows(self) -> int:
        """How many rows came after the index was built."""
        return len(self.later)

    def nearest(self, queries: Values, k: int) -> Found:
        """The k nearest stored rows of each query ``(Q, D)``, as ``VectorIndex.search`` gives them."""
        indices, scores = self._by_index(queries, k)
        if len(self.later):
            others, their_scores = self._later_index.search(queries, k)
            others = np.where(others == NOBODY, NOBODY, self.later[others])
            indices, scores = np.concatenate([indices, others], axis=1), np.concatenate([scores, their_scores], axis=1)
        best = best_of(scores, indices, k)
        return best.indices, best.scores

    def ranked(self, direction: NDArray[np.float32], first: int) -> Iterator[tuple[int, float]]:
        """Offset and cosine of the nearest rows in order: ``first`` of them, then as many as the index finds."""
        given, count = 0, first
        while True:
            indices, scores = self.nearest(direction[None], min(count, len(self)))
            found = int((indices[0] != NOBODY).sum())
            yield from zip(indices[0, given:found].tolist(), scores[0, given:found].tolist(), strict=True)
            if found < min(count, len(self)) or found == len(self):
                return
            given, count = found, 4 * count

    def _by_index(self, queries: Values, k: int) -> Found:
        """What the index finds among the rows that are still there.

        It is asked for more, in more lists, where some are gone or the lists hold fewer than k.
        """
        index = self.stored.index
        there = len(self) - len(self.later)
        wanted, most, probes = k, k + len(index) - there, self.stored.probes
        while True:
            found, scores = index.search(queries, wanted, probes=probes)
            offsets = self._offsets_of(found)
            enough = bool(((offsets != NOBODY).sum(axis=1) >= min(k, there)).all())
            if enough or (wanted >= most and probes >= index.lists):
                break
            wanted, probes = min(2 * wanted, most), min(2 * probes, index.lists)
        best = best_of(np.where(offsets == NOBODY, np.float32(-np.inf), scores), offsets, k)
        return best.indices, best.scores

    def _offsets_of(self, addresses: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the rows of these addresses stand now: NOBODY for those that are gone."""
        order, ordered = self._by_address
        place = np.minimum(np.searchsorted(ordered, addresses), len(ordered) - 1)
        return np.where((addresses != NOBODY) & (ordered[place] == addresses), order[place], NOBODY)

    @cached_property
    def _by_address(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = np.argsort(self.addresses, kind="stable")
        return order, self.addresses[order]

    @cached_property
    def _later_index(self) -> ExactIndex:
        """The vectors of the rows that came later, in memory."""
        parts = [
            self.reader.stored_at(self.later[start : start + _TAKEN_ROWS])
            for start in range(0, len(self.later), _TAKEN_ROWS)
        ]
        return ExactIndex(np.concatenate(parts))
