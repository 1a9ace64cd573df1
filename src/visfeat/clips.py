"""Clips: windows of consecutive sampled frames, for networks that see T frames at once.

Frames are sampled first, by time or all of them; clip k then holds the sampled frames
``[k stride, k stride + length)``. Each frame is handed on once, however many clips overlap on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from visfeat.recipe import Tail

Item = TypeVar("Item")


class Windows(Generic[Item]):
    """Windows of ``length`` frames, one every ``stride``, of frames that are fed one by one; one window is held.

    What no full window covers at the end: ``overlap`` takes the last ``length`` frames, ``pad`` begins the next window
    and repeats its last frame, ``loop`` begins it and repeats all its frames, ``drop`` leaves it out. A video shorter
    than a clip gives one all the same, filled as ``loop`` or ``pad`` says: no video gives nothing.
    """

    def __init__(self, length: int, *, stride: int, tail: Tail = "overlap") -> None:
        self._length, self._stride, self._tail = length, stride, tail
        self._held: deque[Item] = deque(maxlen=length)
        self._seen = 0
        self._start = 0
        """The first frame of the next window."""

    def feed(self, frame: Item) -> Iterator[list[Item]]:
        """The window that this frame completes, if it does."""
        self._held.append(frame)
        self._seen += 1
        if self._seen != self._start + self._length:
            return iter(())
        self._start += self._stride
        return iter([list(self._held)])

    def finish(self) -> Iterator[list[Item]]:
        """The window that the tail adds after the last frame, if it does."""
        last = self._last()
        return iter(() if last is None else [last])

    def _last(self) -> list[Item] | None:
        covered = self._start - self._stride + self._length if self._start else 0
        if self._seen <= covered:
            return None
        if self._seen < self._length:
            return filled(list(self._held), self._length, self._tail)
        if self._tail == "overlap":
            return list(self._held)
        if self._tail == "drop" or self._start >= self._seen:
            return None
        return filled(list(self._held)[self._start - self._seen :], self._length, self._tail)


def clips(frames: Iterable[Item], length: int, *, stride: int, tail: Tail = "overlap") -> Iterator[list[Item]]:
    """The same windows, pulled from an iterator of frames."""
    windows: Windows[Item] = Windows(length, stride=stride, tail=tail)
    for frame in frames:
        yield from windows.feed(frame)
    yield from windows.finish()


def filled(frames: list[Item], length: int, tail: Tail) -> list[Item]:
    """The frames, then as many more as are missing: the same ones again for ``loop``, else the last one."""
    if tail == "loop":
        return [frames[n % len(frames)] for n in range(length)]
    return frames + [frames[-1]] * (length - len(frames))


def number_of_clips(frames: int, length: int, *, stride: int, tail: Tail = "overlap") -> int:
    """How many clips N sampled frames give: ``(N - length) // stride + 1``, and what the tail adds."""
    if frames < length:
        return min(frames, 1)
    full = (frames - length) // stride + 1
    covered = (full - 1) * stride + length
    if tail == "drop" or covered == frames:
        return full
    return full + (1 if tail == "overlap" or full * stride < frames else 0)
