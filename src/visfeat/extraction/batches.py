"""Batches: entries of many items become one array for the network, and its vectors become rows of each item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from visfeat.extraction.inputs import NetworkInput
from visfeat.extraction.ledger import Job
from visfeat.extraction.vectors import BatchVectors
from visfeat.store.records import Rows


@dataclass(frozen=True, slots=True)
class Entry:
    """One row on its way to the network, and whose it is."""

    job: Job
    position: int
    input: NetworkInput


def batches(entries: Iterable[Entry], *, rows: int, batch_size: int) -> Iterator[tuple[list[Entry], NDArray[np.uint8]]]:
    """Batches of ``rows`` entries, filled across files and videos, the last one padded with zeros."""
    waiting: list[Entry] = []
    for entry in entries:
        waiting.append(entry)
        if len(waiting) == rows:
            yield waiting, stacked([one.input for one in waiting], batch_size)
            waiting = []
    if waiting:
        yield waiting, stacked([one.input for one in waiting], batch_size)


def stacked(inputs: Sequence[NetworkInput], batch_size: int) -> NDArray[np.uint8]:
    """The inputs' pixels, all views of each, as one batch uint8 ``(batch_size, T, height, width, C)``, then zeros."""
    views, *shape = inputs[0].pixels.shape
    batch = np.zeros((batch_size, *shape), dtype=np.uint8)
    for n, given in enumerate(inputs):
        batch[n * views : (n + 1) * views] = given.pixels
    return batch


def by_job(entries: Sequence[Entry]) -> Iterator[tuple[Job, list[Entry], slice]]:
    """Runs of entries of one job, and where they stand in the batch."""
    start = 0
    for _, group in groupby(entries, key=lambda entry: id(entry.job)):
        members = list(group)
        yield members[0].job, members, slice(start, start + len(members))
        start += len(members)


def rows_of(entries: Sequence[Entry], vectors: BatchVectors) -> Iterator[Rows]:
    """The rows of a batch: for each layer, one Rows for each run of entries of the same job.

    Samples of one job that lie side by side have consecutive positions. Rows that are not finite are left out
    with the rest of their run: their job has failed.
    """
    for job, members, part in by_job(entries):
        if not vectors.finite[part].all():
            continue
        for layer, values in vectors.values.items():
            yield Rows(
                content_hash=job.item.content_hash,
                layer=layer,
                first_position=members[0].position,
                values=values[part],
                start_s=np.array([entry.input.start_s for entry in members]),
                end_s=np.array([entry.input.end_s for entry in members]),
                frame_index=np.stack([entry.input.frame_index for entry in members]),
                labels=vectors.labels[part],
            )
