"""From a decoder's time stamps to exact seconds after the first displayed frame."""

from __future__ import annotations

from fractions import Fraction

_RESTART_S = 1
"""Stamps that jump back further than this belong to a clock that was started anew (joined recordings)."""


class VideoClock:
    """Start times of frames that come in presentation order, never running backward.

    ``period_s`` is the time between frames where nothing better is known. ``by_order``: the stamps are in decoding
    order (H.264 in AVI) or missing, and every frame takes one period. What had to be mended is said in ``notes``.
    """

    def __init__(self, time_base: Fraction, period_s: Fraction, *, by_order: bool) -> None:
        self._time_base, self._period_s = time_base, period_s
        self._by_order = by_order
        self._offset_s: Fraction | None = None
        self._last_s: Fraction | None = None
        self._notes: dict[str, None] = {}
        if by_order:
            self._note("times derived from the output order")

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be mended so far."""
        return tuple(self._notes)

    def start_of(self, stamp: int | None) -> Fraction:
        """When the next frame goes on display, in seconds after the first one."""
        if self._last_s is None:
            self._offset_s = None if stamp is None else -stamp * self._time_base
            self._last_s = Fraction(0)
        else:
            self._last_s = self._next(self._last_s, stamp)
        return self._last_s

    def duration_of(self, ticks: int | None) -> Fraction:
        """How long a frame is shown when no next one says it."""
        if ticks and ticks > 0 and not self._by_order:
            return ticks * self._time_base
        return self._period_s

    def _next(self, last_s: Fraction, stamp: int | None) -> Fraction:
        if self._by_order:
            return last_s + self._period_s
        if stamp is None:
            self._note("some times derived from the output order")
            return last_s + self._period_s
        if self._offset_s is None:
            self._offset_s = last_s + self._period_s - stamp * self._time_base
        start_s = stamp * self._time_base + self._offset_s
        if start_s >= last_s:
            return start_s
        if last_s - start_s > _RESTART_S:
            self._note(f"its clock starts anew at {float(last_s):.1f} s")
            self._offset_s += last_s + self._period_s - start_s
            return last_s + self._period_s
        self._note("some time stamps run backward; those frames are shown for no time")
        return last_s

    def _note(self, text: str) -> None:
        if len(self._notes) < 8:
            self._notes[text] = None
