"""Clips: windows of consecutive sampled frames, for networks that see T frames at once.

Frames are sampled first, by time or all of them; clip k then holds the sampled frames
``[k stride, k stride + length)``. Each frame is handed on once, however many clips overlap on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

from visfeat.recipe import Tail

Item = TypeVar("Item")


def clips(frames: Iterable[Item], length: int, *, stride: int, tail: Tail = "overlap") -> Iterator[list[Item]]:
    """Windows of ``length`` frames, one every ``stride``; no more than one window is held.

    What no full window covers at the end: ``overlap`` takes the last ``length`` frames, ``pad`` begins the next window
    and repeats its last frame, ``loop`` begins it and repeats all its frames, ``drop`` leaves it out. A video shorter
    than a clip gives one all the same, filled as ``loop`` or ``pad`` says: no video gives nothing.
    """
    window: deque[Item] = deque(maxlen=length)
    seen, start = 0, 0
    for frame in frames:
        window.append(frame)
        seen += 1
        if seen == start + length:
            yield list(window)
            start += stride
    covered = start - stride + length if start else 0
    if seen <= covered:
        return
    if seen < length:
        yield filled(list(window), length, tail)
    elif tail == "overlap":
        yield list(window)
    elif tail != "drop" and start < seen:
        yield filled(list(window)[start - seen :], length, tail)


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
