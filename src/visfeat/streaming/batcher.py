"""Batcher: network inputs go in, rows come out, in bounded memory and with a bound on the wait.

A thread of its own fills batches. A batch that is not full goes out all the same, padded, before its oldest input has
waited too long; features do not depend on their neighbors in a batch.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visfeat.engine.prepare import Prepared
from visfeat.extraction.batches import stacked
from visfeat.extraction.inputs import NetworkInput
from visfeat.extraction.vectors import BatchVectors, vectors_of
from visfeat.streaming.rows import StreamRow

BATCHES_WAITING, LEAST_WAITING = 4, 16
"""So many inputs may wait: of batches, but no fewer rows than that."""
ROWS_WAITING = 1024
"""Rows that nobody takes hold up the inputs, or have them dropped."""

OnFull = Literal["wait", "drop"]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An input in the queue: its number and when the frame that completed it arrived (``time.monotonic``)."""

    position: int
    input: NetworkInput
    arrived_s: float


class Batcher:
    """One prepared network at work on one stream; its methods may be called from any thread."""

    def __init__(self, prepared: Prepared, *, max_latency_s: float, on_full: OnFull) -> None:
        """``max_latency_s``: how long after its arrival an input's row is due.

        ``on_full``: wait for room, or drop what finds none, and what comes while others are late already.
        """
        self.dropped = 0
        """Inputs that found no room."""
        self.not_finite = 0
        """Rows that were left out since they have a NaN or an infinity."""
        self._prepared = prepared
        self._rows_a_batch = prepared.rows_per_batch
        self._capacity = max(BATCHES_WAITING * self._rows_a_batch, LEAST_WAITING)
        self._max_latency_s = max_latency_s
        self._on_full = on_full
        self._inputs: deque[_Waiting] = deque()
        self._rows: deque[StreamRow] = deque()
        self._changed = threading.Condition()
        self._accepted = 0
        self._closed = self._aborted = self._over = False
        self._batch_took_s = 0.0
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="visfeat-stream", daemon=True)
        self._thread.start()

    def put(self, given: NetworkInput, arrived_s: float, taken: list[StreamRow] | None = None) -> None:
        """Hand over an input: waits for room, or counts it as dropped. Raises what broke the network.

        ``taken``: gets the rows that are ready, for a caller who alone takes them and would else wait for himself.
        """
        with self._changed:
            self._take_into(taken)
            while self._on_full == "wait" and not (self._has_room() or self._is_done()):
                self._changed.wait()
                self._take_into(taken)
            self._raise_error()
            if self._is_done():
                return
            if not self._has_room():
                self.dropped += 1
                return
            self._inputs.append(_Waiting(self._accepted, given, arrived_s))
            self._accepted += 1
            self._changed.notify_all()

    def take(self) -> list[StreamRow]:
        """The rows that are there, without waiting. Raises what broke the network, after its last rows."""
        with self._changed:
            return self._taken()

    def wait(self, timeout_s: float | None = None) -> list[StreamRow] | None:
        """The next rows, or none after ``timeout_s``; None once all were given out. Raises what broke the network."""
        with self._changed:
            self._changed.wait_for(lambda: self._rows or self._over, timeout_s)
            return None if self._over and not self._rows and self._error is None else self._taken()

    def close(self) -> None:
        """No more inputs come; what waits is still computed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Stop; what waits is lost. The batches that the network has begun are waited for."""
        with self._changed:
            self._closed = self._aborted = True
            self._inputs.clear()
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _has_room(self) -> bool:
        if len(self._inputs) >= self._capacity or len(self._rows) >= ROWS_WAITING:
            return False
        # Behind what is late already, nothing can be in time.
        is_late = self._on_full == "drop" and bool(self._inputs) and self._due_in_s() + self._batch_took_s <= 0
        return not is_late

    def _is_done(self) -> bool:
        return self._closed or self._over

    def _taken(self) -> list[StreamRow]:
        if not self._rows:
            self._raise_error()
        rows = list(self._rows)
        self._rows.clear()
        self._changed.notify_all()
        return rows

    def _take_into(self, taken: list[StreamRow] | None) -> None:
        if taken is not None and self._rows:
            taken += self._taken()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    # In the network's thread.

    def _work(self) -> None:
        try:
            while self._wait_until_due():
                for (waiting, started_s), outputs in self._prepared.network.stream(self._batches()):
                    self._batch_took_s = time.monotonic() - started_s
                    self._deliver(waiting, vectors_of(outputs, self._prepared))
        except BaseException as error:  # noqa: BLE001 (raised to whoever feeds or reads)
            self._error = error
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()

    def _wait_until_due(self) -> bool:
        """Wait for a batch that is full or due; False where none comes any more."""
        with self._changed:
            while not self._is_due():
                if self._closed and not self._inputs:
                    return False
                self._changed.wait(self._due_in_s() if self._inputs else None)
            return True

    def _is_due(self) -> bool:
        if not self._inputs:
            return False
        return self._closed or len(self._inputs) >= self._rows_a_batch or self._due_in_s() <= 0

    def _due_in_s(self) -> float:
        """How long the oldest input may still wait, with the time that the last batch took set aside."""
        return self._inputs[0].arrived_s + self._max_latency_s - self._batch_took_s - time.monotonic()

    def _batches(self) -> Iterator[tuple[tuple[list[_Waiting], float], NDArray[np.uint8]]]:
        """The batches that are full or due now; ends where none is, since only then an engine gives all results."""
        while True:
            with self._changed:
                if not self._is_due():
                    return
                number = min(self._rows_a_batch, len(self._inputs))
                waiting = [self._inputs.popleft() for _ in range(number)]
                self._changed.notify_all()
            batch = stacked([one.input for one in waiting], self._prepared.network.batch_size)
            yield (waiting, time.monotonic()), batch

    def _deliver(self, waiting: Sequence[_Waiting], vectors: BatchVectors) -> None:
        now_s = time.monotonic()
        rows = [
            StreamRow(
                position=one.position,
                start_s=one.input.start_s,
                end_s=one.input.end_s,
                frame_index=one.input.frame_index,
                # A view of the batch would keep all of it.
                vectors={layer: values[n].copy() for layer, values in vectors.values.items()},
                labels=vectors.labels[n] if vectors.labels else (),
                repeated=one.input.repeated,
                delay_s=now_s - one.arrived_s,
            )
            for n, one in enumerate(waiting)
            if vectors.finite[n]
        ]
        with self._changed:
            self.not_finite += len(waiting) - len(rows)
            if not self._aborted:
                self._rows.extend(rows)
            self._changed.notify_all()
