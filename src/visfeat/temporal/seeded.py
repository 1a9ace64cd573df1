"""``random:SEED,hidden=256,bidirectional``: a model that is said by a seed and its sizes instead of a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from visfeat.errors import UsageError, nearest_names

_SEEDED = re.compile(r"(random|kmeans):(.*)")


@dataclass(frozen=True, slots=True)
class Seeded:
    """The word before the colon, the seed, and every size and flag (0 or 1), said or not."""

    word: str
    seed: int
    sizes: Mapping[str, int]


def is_seeded(text: str) -> bool:
    """Whether a text is said by a seed, as opposed to a file's name."""
    return _SEEDED.fullmatch(text) is not None


def seeded(text: str, word: str, sizes: Mapping[str, int], flags: tuple[str, ...] = ()) -> Seeded:
    """Read ``word:SEED[,name=N][,flag]``; ``sizes`` are the names and their values where nothing is said.

    Raises UsageError that shows the form.

    >>> seeded("random:1,hidden=8", "random", {"hidden": 256, "layers": 1}, ("bidirectional",)).sizes
    {'hidden': 8, 'layers': 1, 'bidirectional': 0}
    """
    form = f"{word}:SEED" + "".join(f"[,{name}={size}]" for name, size in sizes.items())
    form += "".join(f"[,{flag}]" for flag in flags)
    found = _SEEDED.fullmatch(text)
    first, *others = found[2].split(",") if found else [""]
    if found is None or found[1] != word or not first.strip().isdecimal():
        raise UsageError(f"--temporal-model {text}: its form is {form}")
    values = dict(sizes) | dict.fromkeys(flags, 0)
    for other in others:
        name, equals, number = (part.strip() for part in other.partition("="))
        if name in flags and not equals:
            values[name] = 1
        elif name in sizes and number.isdecimal() and int(number) > 0:
            values[name] = int(number)
        elif name in sizes:
            raise UsageError(f"--temporal-model {text}: {name} is a number from 1 on (its form is {form})")
        else:
            raise UsageError(f"--temporal-model {text}: {other!r}{nearest_names(name, values)} (its form is {form})")
    return Seeded(word, int(first), values)
