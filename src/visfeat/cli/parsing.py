"""Words of the command line: durations, lists, numbers that belong together."""

from __future__ import annotations

from fractions import Fraction

from visfeat.durations import moment, seconds
from visfeat.errors import UsageError


def duration_s(text: str, *, option: str) -> Fraction:
    """Seconds from 0.5s, 500ms, 2min, 1h or a bare number of seconds; raises UsageError."""
    try:
        return seconds(text)
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from None


def moment_s(text: str, *, option: str) -> Fraction:
    """Seconds after the first frame: as ``duration_s`` takes them, 0, or 1:05; raises UsageError."""
    try:
        return moment(text)
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from None


def words(text: str | None) -> tuple[str, ...] | None:
    """The parts of a list separated by commas; None stays None."""
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def numbers(text: str | None, count: int, *, option: str) -> tuple[float, ...] | None:
    """``count`` numbers separated by commas; raises UsageError. None stays None."""
    if text is None:
        return None
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count:
        raise UsageError(f"{option} {text}: needs {count} numbers separated by commas")
    return values
