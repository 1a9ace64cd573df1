"""Channel: a bounded queue between threads that can be closed (no more is coming) or aborted (stop at once)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Aborted(Exception):
    """Raised to whoever puts into or reads from a channel after ``abort``."""


class Channel(Generic[T]):
    """A first-in first-out queue of at most ``capacity`` entries."""

    def __init__(self, capacity: int) -> None:
        """``capacity``: how many entries may wait before ``put`` blocks."""
        self._capacity = capacity
        self._entries: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._aborted = False

    def put(self, entry: T) -> None:
        """Add an entry, waiting for room; raises Aborted."""
        with self._changed:
            self._changed.wait_for(lambda: self._aborted or len(self._entries) < self._capacity)
            if self._aborted:
                raise Aborted
            self._entries.append(entry)
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Entries until the channel is closed and empty; several threads may iterate. Raises Aborted."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._aborted or self._closed or self._entries)
                if self._aborted:
                    raise Aborted
                if not self._entries:
                    return
                entry = self._entries.popleft()
                self._changed.notify_all()
            yield entry

    def close(self) -> None:
        """Nothing more will be put."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Wake and stop everybody; what waits is dropped."""
        with self._changed:
            self._aborted = True
            self._entries.clear()
            self._changed.notify_all()
