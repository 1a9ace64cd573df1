"""Expecting an error, without pytest."""

from __future__ import annotations

from collections.abc import Callable


def raised(expected: type[Exception], call: Callable[[], object]) -> str:
    """The message of the error that ``call`` raises; AssertionError where it raises none of that type."""
    try:
        call()
    except expected as error:
        return str(error)
    raise AssertionError(f"{expected.__name__} was not raised")
