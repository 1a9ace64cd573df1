"""From a decoder's time stamps to exact seconds after the first displayed frame."""

from __future__ import annotations

from fractions import Fraction

_RESTART_S = 1
"""Stamps that jump back further than this belong to a clock that was started anew (joined recordings)."""


class VideoClock:
    """Start times of frames that come in presentation order, never running backward.

    ``origin`` is the stamp at which the clock shows 0; None takes the first frame's. ``period_s`` is the time between
    frames where nothing better is known. ``by_order``: the stamps are in decoding order (H.264 in AVI) or missing, and
    every frame takes one period. What had to be mended is said in ``notes``.
    """

    def __init__(self, time_base: Fraction, period_s: Fraction, *, by_order: bool, origin: int | None = None) -> None:
        self._time_base, self._period_s = time_base, period_s
        self._by_order = by_order
        self._offset_s = None if origin is None else -origin * time_base
        self._last_s: Fraction | None = None
        self._notes: dict[str, None] = {}
        if by_order:
            self._note("times derived from the output order")

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be mended so far."""
        return tuple(self._notes)

    def start_of(self, stamp: int | None, lost: int = 0) -> Fraction:
        """When the next frame goes on display, in seconds after the first one; ``lost`` frames came before it."""
        if self._last_s is not None:
            self._last_s = self._next(self._last_s, stamp, (lost + 1) * self._period_s)
        elif self._by_order or stamp is None:
            self._last_s = lost * self._period_s
        else:
            self._offset_s = -stamp * self._time_base if self._offset_s is None else self._offset_s
            self._last_s = max(Fraction(0), stamp * self._time_base + self._offset_s)
        return self._last_s

    def duration_of(self, ticks: int | None) -> Fraction:
        """How long a frame is shown when no next one says it."""
        if ticks and ticks > 0 and not self._by_order:
            return ticks * self._time_base
        return self._period_s

    def _next(self, last_s: Fraction, stamp: int | None, step_s: Fraction) -> Fraction:
        if self._by_order:
            return last_s + step_s
        if stamp is None:
            self._note("some times derived from the output order")
            return last_s + step_s
        if self._offset_s is None:
            self._offset_s = last_s + step_s - stamp * self._time_base
        start_s = stamp * self._time_base + self._offset_s
        if start_s >= last_s:
            return start_s
        if last_s - start_s > _RESTART_S:
            self._note(f"its clock starts anew at {float(last_s):.1f} s")
            self._offset_s += last_s + step_s - start_s
            return last_s + step_s
        self._note("some time stamps run backward; those frames are shown for no time")
        return last_s

    def _note(self, text: str) -> None:
        if len(self._notes) < 8:
            self._notes[text] = None
