"""The pipeline: decoding threads, which all lanes share, -> each lane's own threads.

All are threads of one process with bounded queues between them: decoding, resizing and inference release the GIL.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from visfeat.decode.decoder import DecodeOptions
from visfeat.extraction.lane import Lane
from visfeat.extraction.work import Task, Worker

POLL_S = 0.1


class Pipeline:
    """Runs tasks through lanes. A lane that breaks leaves the others at work; its ``error`` says why."""

    def __init__(self, lanes: Sequence[Lane], *, options: DecodeOptions, workers: int) -> None:
        """``options``: what all lanes have in common; ``workers``: how many decoding threads."""
        self._lanes = lanes
        self._workers = workers
        self._stopping = threading.Event()
        self._worker = Worker(options, self._stopping)
        self._errors: list[BaseException] = []
        self._all_ended = threading.Event()

    def run(self, tasks: Sequence[Task], tick: Callable[[], None] = lambda: None) -> bool:
        """Do all tasks; returns False where an interrupt stopped it early, with what was finished committed.

        ``tick`` is called about ten times a second. Raises what a decoding thread could not handle.
        """
        completed = True
        conductor = threading.Thread(target=self._conduct, args=(tasks,), name="visfeat-conductor", daemon=True)
        try:
            conductor.start()
            self._wait(tick)
        except KeyboardInterrupt:
            completed = False
            self._stopping.set()
            try:
                self._wait(tick)
            except KeyboardInterrupt:
                # The second one: do not wait for what is in flight.
                self._abort()
                self._wait(tick)
        finally:
            self._abort()
        if self._errors:
            raise self._errors[0]
        return completed

    def _conduct(self, tasks: Sequence[Task]) -> None:
        """Start all threads and see them to their end.

        Never in the main thread: an interrupt would leave them half started, and Thread.join, interrupted, takes one
        that runs for one that has ended (Python 3.11).
        """
        try:
            for thread in self._start(tasks):
                thread.join()
        except BaseException as error:  # noqa: BLE001 (handed to the caller of run)
            self._errors.append(error)
        finally:
            self._all_ended.set()

    def _start(self, tasks: Sequence[Task]) -> list[threading.Thread]:
        todo = _SharedIterator(iter(tasks))
        decoding = [
            threading.Thread(target=self._decode, args=(todo,), name=f"visfeat-decode-{n}", daemon=True)
            for n in range(self._workers)
        ]
        for thread in decoding:
            thread.start()
        return [*decoding, *(thread for lane in self._lanes for thread in lane.start(decoding))]

    def _decode(self, todo: Iterator[Task]) -> None:
        try:
            for task in todo:
                if self._stopping.is_set() or all(lane.error is not None for lane in self._lanes):
                    return
                self._worker.work(task)
        except BaseException as error:  # noqa: BLE001 (handed to the caller of run)
            self._errors.append(error)
            self._stopping.set()

    def _wait(self, tick: Callable[[], None]) -> None:
        while not self._all_ended.wait(POLL_S):
            tick()
        tick()

    def _abort(self) -> None:
        self._stopping.set()
        for lane in self._lanes:
            lane.abort()


class _SharedIterator(Iterator[Task]):
    """An iterator that several threads may advance."""

    def __init__(self, tasks: Iterator[Task]) -> None:
        self._tasks = tasks
        self._lock = threading.Lock()

    def __next__(self) -> Task:
        with self._lock:
            return next(self._tasks)
