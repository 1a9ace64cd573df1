"""Words of the command line: durations, lists, numbers that belong together."""

from __future__ import annotations

from fractions import Fraction

from visfeat.errors import UsageError

_UNITS = {"ms": Fraction(1, 1000), "s": Fraction(1), "min": Fraction(60), "m": Fraction(60), "h": Fraction(3600)}


def duration_s(text: str, *, option: str) -> Fraction:
    """Seconds from 0.5s, 500ms, 2min, 1h or a bare number of seconds; raises UsageError.

    >>> duration_s("500ms", option="--every")
    Fraction(1, 2)
    """
    number, unit = text.strip(), Fraction(1)
    for ending, factor in _UNITS.items():
        if number.endswith(ending):
            number, unit = number.removesuffix(ending).strip(), factor
            break
    try:
        value = Fraction(number) * unit
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{option} {text}: not a duration; write 0.5s, 500ms, 2min or 1h") from None
    if value <= 0:
        raise UsageError(f"{option} {text}: must be more than 0")
    return value


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
