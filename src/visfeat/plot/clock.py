"""Times as people read them on an axis: 1:05 after the beginning, or 1:02:05."""

from __future__ import annotations

from visfeat.errors import UsageError

_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


def clock(time_s: float) -> str:
    """Minutes and seconds, hours before them from the first on, tenths where the seconds are not whole.

    >>> clock(0), clock(65), clock(3725), clock(4.5)
    ('0:00', '1:05', '1:02:05', '0:04.5')
    """
    tenths = round(time_s * 10)
    minutes, rest = divmod(tenths, 600)
    whole, tenth = divmod(rest, 10)
    last = f"{whole:02d}.{tenth}" if tenth else f"{whole:02d}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{last}" if hours else f"{minutes}:{last}"


def ticks_s(length_s: float, most: int) -> list[float]:
    """At most ``most`` round times from 0 to ``length_s``.

    >>> ticks_s(61.0, 6), ticks_s(0.32, 5)
    ([0, 15, 30, 45, 60], [0.0, 0.1, 0.2, 0.3])
    """
    step = next((one for one in _STEPS_S if length_s / one < most), _STEPS_S[-1])
    while length_s / step >= most:
        step *= 2
    return [round(number * step, 1) for number in range(int(length_s / step + 1e-9) + 1)]


def check_moment(at_s: float, length_s: float, *, video: str) -> None:
    """Raise UsageError unless the moment lies in the video."""
    if not 0 <= at_s < length_s:
        raise UsageError(f"--query {at_s:g}s: {video} goes from 0 to {length_s:g} s")
