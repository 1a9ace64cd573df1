"""Of which class a network is asked: its name or number, and how probable the network finds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.card import ModelCard
from visfeat.class_groups import ALL, Groups, probabilities
from visfeat.errors import UsageError, nearest_names


@dataclass(frozen=True)
class Asked:
    """A class of a network, and its probability for what the network was shown."""

    index: int
    name: str
    probability: float


def asked_class(
    card: ModelCard, logits: NDArray[np.floating[Any]], wanted: str | int | None = None, *, groups: Groups = ALL
) -> Asked:
    """The class that is meant, by default the most probable one; ``logits`` are ``(classes,)``.

    A name is one of the class's words (ImageNet's classes have several: "tench, Tinca tinca") or a part of just one
    class's name; a number counts from 0. Raises UsageError with the nearest names.
    """
    share = probabilities(logits, groups=groups)
    index = int(share.argmax()) if wanted is None else _index(card, str(wanted).strip(), len(share))
    name = card.class_names[index] if index < len(card.class_names) else f"class {index}"
    return Asked(index, name, float(share[index]))


def logits_layer(card: ModelCard) -> tuple[str, ...]:
    """The layer whose values are one number a class; raises UsageError where there is none."""
    if card.logits_layer is None:
        raise UsageError(f"{card.name}: tells no classes apart; there is no class to explain")
    return (card.logits_layer,)


def _index(card: ModelCard, wanted: str, classes: int) -> int:
    lower = wanted.lower()
    words = [{part.strip().lower() for part in (name, *name.split(","))} for name in card.class_names]
    named = [index for index, known in enumerate(words) if lower in known]
    if not named and wanted.isdigit() and int(wanted) < classes:
        return int(wanted)
    if not named and not wanted.isdigit():
        named = [index for index, name in enumerate(card.class_names) if lower in name.lower()]
    if len(named) == 1:
        return named[0]
    if named:
        some = "; ".join(f"{index}: {card.class_names[index]}" for index in named[:8])
        raise UsageError(f"--class {wanted}: may be {some}; give the number")
    hint = nearest_names(wanted, card.class_names)
    raise UsageError(f"--class {wanted}: {card.name} has no such class{hint} (classes 0 to {classes - 1})")
