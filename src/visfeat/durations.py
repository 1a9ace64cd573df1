"""Exact numbers as people write them: durations (0.5s, 500ms, 2min, 1h), moments (1:05), rates (30000/1001)."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

_UNITS = {"ms": Fraction(1, 1000), "s": Fraction(1), "min": Fraction(60), "m": Fraction(60), "h": Fraction(3600)}
_ZERO = re.compile(r"0+(\.0*)?\s*(ms|s|min|m|h)?")
_CLOCK = re.compile(r"\d+(:[0-5]?\d){1,2}(\.\d+)?")


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


def moment(text: str) -> Fraction:
    """Exact seconds after the beginning: a duration, 0, or as a clock shows it, 1:05 or 1:02:05; raises ValueError.

    >>> moment("1:05.5"), moment("0s"), moment("2min")
    (Fraction(131, 2), Fraction(0, 1), Fraction(120, 1))
    """
    said = text.strip()
    if _ZERO.fullmatch(said):
        return Fraction(0)
    if _CLOCK.fullmatch(said):
        return sum((Fraction(part) * 60**power for power, part in enumerate(reversed(said.split(":")))), Fraction(0))
    return seconds(said)


def positive_fraction(value: Any) -> Fraction:
    """An exact positive fraction from 0.5, "1/3", "30000/1001" or a Fraction; raises ValueError."""
    try:
        fraction = value if isinstance(value, Fraction) else Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{value!r} is not a number") from None
    if fraction <= 0:
        raise ValueError(f"must be more than 0, not {value}")
    return fraction
