"""When the pictures that somebody feeds were on display: by his times, by a frame rate, or by the clock on arrival."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from fractions import Fraction

from visfeat.durations import positive_fraction
from visfeat.errors import UsageError

_FINEST = 1_000_000
"""Times in floating point are taken for the nearest fraction with a denominator up to this."""
_DEFAULT_PERIOD_S = Fraction(1, 25)


class FeedClock:
    """Start times of pictures, in exact seconds after the first one, never running backward.

    ``frame_rate``: pictures a second where no time is given; None takes ``now_s``, in seconds, on arrival.
    ``first_s`` is the caller's own time of the first picture.
    """

    def __init__(
        self, frame_rate: float | Fraction | None = None, *, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises UsageError for a frame rate that is no positive number."""
        self.first_s: Fraction | None = None
        self._period_s = None if frame_rate is None else 1 / _rate(frame_rate)
        self._now_s = now_s
        self._count = 0
        self._last_s = Fraction(0)
        self._step_s = self._period_s or _DEFAULT_PERIOD_S

    def start_of(self, time_s: float | Fraction | None) -> Fraction:
        """When the next picture goes on display; raises UsageError for a time that is no number."""
        said_s = self._said(time_s)
        if self.first_s is None:
            self.first_s = said_s
        start_s = max(said_s - self.first_s, self._last_s)
        if self._period_s is None and start_s > self._last_s:
            self._step_s = start_s - self._last_s
        self._count += 1
        self._last_s = start_s
        return start_s

    def end_of_last(self, end_s: float | Fraction | None = None) -> Fraction:
        """When the last picture goes: as the caller says, else after as long as the one before."""
        if end_s is not None and self.first_s is not None:
            return max(exact_s(end_s) - self.first_s, self._last_s)
        return self._last_s + self._step_s

    def _said(self, time_s: float | Fraction | None) -> Fraction:
        if time_s is not None:
            return exact_s(time_s)
        return exact_s(self._now_s()) if self._period_s is None else self._count * self._period_s


def exact_s(time_s: float | Fraction) -> Fraction:
    """A time as a fraction: 0.04 is 1/25, and not the binary number next to it. Raises UsageError for NaN and infinity.

    So the times of a file's frames come back exactly after they went through floating point.
    """
    if isinstance(time_s, Fraction):
        return time_s
    if not math.isfinite(time_s):
        raise UsageError(f"time_s={time_s}: a time must be a finite number of seconds")
    return Fraction(float(time_s)).limit_denominator(_FINEST)


def _rate(frame_rate: float | Fraction) -> Fraction:
    try:
        return positive_fraction(frame_rate)
    except ValueError as error:
        raise UsageError(f"frame_rate: {error}") from None
