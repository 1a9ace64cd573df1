"""Exact numbers as people write them: durations (0.5s, 500ms, 2min, 1h, bare seconds) and rates (29.97, 30000/1001)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

_UNITS = {"ms": Fraction(1, 1000), "s": Fraction(1), "min": Fraction(60), "m": Fraction(60), "h": Fraction(3600)}


def seconds(text: str) -> Fraction:
    """Exact seconds; raises ValueError for anything else and for what is not more than 0.

    >>> seconds("500ms"), seconds("2min"), seconds("0.1")
    (Fraction(1, 2), Fraction(120, 1), Fraction(1, 10))
    """
    number, unit = text.strip(), Fraction(1)
    for ending, factor in _UNITS.items():
        if number.endswith(ending):
            number, unit = number.removesuffix(ending).strip(), factor
            break
    try:
        value = Fraction(number) * unit
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{text!r} is not a duration; write 0.5s, 500ms, 2min or 1h") from None
    if value <= 0:
        raise ValueError(f"must be more than 0, not {text}")
    return value


def positive_fraction(value: Any) -> Fraction:
    """An exact positive fraction from 0.5, "1/3", "30000/1001" or a Fraction; raises ValueError."""
    try:
        fraction = value if isinstance(value, Fraction) else Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{value!r} is not a number") from None
    if fraction <= 0:
        raise ValueError(f"must be more than 0, not {value}")
    return fraction
