"""Searcher: the rows of one space, opened once for any number of questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import UsageError
from visfeat.frames import NO_TIME
from visfeat.search.exact import cosines
from visfeat.search.passages import Passages, Span, descending
from visfeat.search.questions import Question
from visfeat.search.unit_vectors import inverse_lengths

if TYPE_CHECKING:
    from visfeat.search.indexed import IndexedRows
    from visfeat.store.reading import SpaceReader

SAMPLED_ROWS = 1000
"""Rows, evenly taken, whose scores say what is usual."""
_ASKED_PER_ANSWER = 4
"""Rows that an index is asked for at first: neighboring ones become one answer."""


@dataclass(frozen=True, slots=True)
class Passage:
    """An answer: an image, or the part ``[start_s, end_s)`` of a video whose best moment is ``at_s``.

    Times in seconds, None for an image; score: the cosine of the best row with the question, 1 for equal directions.
    """

    uri: str
    start_s: float | None
    end_s: float | None
    at_s: float | None
    score: float


class Searcher:
    """Compares questions with all rows of a space that may answer."""

    def __init__(
        self,
        reader: SpaceReader,
        *,
        among: Iterable[str] | None = None,
        indexed: IndexedRows | None = None,
        hold: bool = True,
    ) -> None:
        """``among``: the URIs of the items that may answer, None for all. ``indexed``: the rows behind their index.

        Without an index, or with ``among``, every question is compared with all rows. ``hold`` keeps them in memory as
        float32, for many questions; without it each question reads them anew, in flat memory. Raises UsageError where
        the space has no rows.
        """
        if len(reader) == 0:
            raise UsageError(
                f"the store has no rows of {reader.space}; visfeat extract FOLDER --store STORE makes some"
            )
        self.reader = reader
        self._barred = None if among is None else _barred(reader, set(among))
        self._indexed = indexed if self._barred is None else None
        blocks = _flat_blocks(reader) if hold and self._indexed is None else None
        self._held = None if blocks is None else [(rows, inverse_lengths(rows)) for _, rows in blocks]

    def __len__(self) -> int:
        """How many rows may answer, copies included."""
        return len(self.reader) - (0 if self._barred is None else int(self._barred.sum()))

    def search(self, question: Question, k: int) -> list[Passage]:
        """The k best passages, the best one first; fewer where there are no more. Raises UsageError for k < 1."""
        if k < 1:
            raise UsageError(f"-k {k}: at least 1")
        k = min(k, len(self.reader))
        passages, ranked = self._by_index(question, k) if self._indexed is not None else self._exactly(question)
        return self.described(list(islice(_without(passages.of(ranked), question.own, self.reader.join.item), k)))

    def _exactly(self, question: Question) -> tuple[Passages, Iterator[tuple[int, float]]]:
        scores = self.scores(question.direction)
        middle = float(np.median(scores[sampled(len(scores))]))
        if self._barred is not None:
            scores[self._barred] = -np.inf
        return Passages(self.reader.join.item, lambda first, stop: scores[first:stop], middle), descending(scores)

    def _by_index(self, question: Question, k: int) -> tuple[Passages, Iterator[tuple[int, float]]]:
        """The index ranks the rows; what lies beside the best ones is read from the store."""
        assert self._indexed is not None
        direction = question.direction
        middle = float(np.median(cosines(self._sample, direction)))
        item = self.reader.join.item
        passages = Passages(item, lambda first, stop: cosines(self.reader.rows(first, stop)[0], direction), middle)
        return passages, self._rows_of(self._indexed.ranked(direction, _ASKED_PER_ANSWER * (k + len(question.own))))

    def _rows_of(self, ranked: Iterator[tuple[int, float]]) -> Iterator[tuple[int, float]]:
        """The rows of stored ones: a row for each copy, none for what does not count."""
        order, offsets = self._by_offset
        for offset, score in ranked:
            first, stop = np.searchsorted(offsets, [offset, offset + 1])
            for row in order[first:stop].tolist():
                yield row, score

    @cached_property
    def _by_offset(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = np.argsort(self.reader.join.offset, kind="stable")
        return order, self.reader.join.offset[order]

    @cached_property
    def _sample(self) -> NDArray[np.float32]:
        """The rows that say what is usual: float32 ``(n, *shape)``."""
        return self.reader.at(sampled(len(self.reader)))[0]

    def scores(self, direction: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine of every row with a direction ``(D,)``: float32 ``(N,)``; copies are computed once."""
        if self._held is not None:
            stored = [(rows @ direction) * inverse for rows, inverse in self._held]
        else:
            stored = [cosines(rows, direction) for _, rows in _flat_blocks(self.reader)]
        found: NDArray[np.float32] = np.concatenate(stored)[self.reader.join.offset]
        return found

    def described(self, spans: list[Span]) -> list[Passage]:
        """Spans of rows as passages, with URI and times."""
        if not spans:
            return []
        item = self.reader.join.item
        last = np.array([span.last for span in spans])
        follows = np.minimum(last + 1, len(item) - 1)
        wanted = np.concatenate([[span.first for span in spans], [span.best for span in spans], last, follows])
        table = self.reader.metadata_at(wanted)
        starts, ends = (table[name].fill_null(NO_TIME).to_numpy().reshape(4, -1) for name in ("start_s", "end_s"))
        # A row stands for the time up to the next one of its video.
        stops = np.where((follows > last) & (item[follows] == item[last]), np.fmax(ends[2], starts[3]), ends[2])
        uris = table["uri"].to_pylist()
        return [
            Passage(uris[n], _time(starts[0][n]), _time(stops[n]), _time(starts[1][n]), float(span.score))
            for n, span in enumerate(spans)
        ]


def sampled(count: int) -> NDArray[np.int64]:
    """Which rows say what is usual: up to 1,000, evenly taken, ascending."""
    return np.unique(np.linspace(0, count - 1, min(count, SAMPLED_ROWS)).astype(np.int64))


def _without(spans: Iterator[Span], own: Iterable[tuple[int, int | None]], item: NDArray[np.int32]) -> Iterator[Span]:
    """The spans that hold no row of which the question was made."""
    for span in spans:
        here = [row for number, row in own if number == item[span.best]]
        if not any(row is None or span.first <= row <= span.last for row in here):
            yield span


def _flat_blocks(reader: SpaceReader) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for start, stored in reader.stored_values():
        yield start, stored.reshape(len(stored), -1)


def _barred(reader: SpaceReader, among: set[str]) -> NDArray[np.bool_]:
    """Which rows may not answer: bool ``(N,)``."""
    barred = np.array([uri not in among for uri in reader.join.uris], dtype=bool)
    return barred[reader.join.item]


def _time(seconds: float) -> float | None:
    return None if np.isnan(seconds) else float(seconds)
