"""Events: moments beyond a threshold, merged while they follow each other closely.

An event begins at the first moment beyond the threshold. It goes on over moments that are not, as long as the last one
beyond it began less than ``hold_s`` ago, and ends with the first moment after that. So one intruder is one event,
though the score crosses the threshold a hundred times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from visfeat.errors import UsageError
from visfeat.search import Neighbor

HOLD_S = 3.0

Phase = Literal["begin", "end"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A row of a stream, scored: seconds after its first frame, and the cosine that counts.

    ``nearest``: known rows near it, where they were asked for.
    """

    start_s: float
    end_s: float
    score: float
    nearest: Sequence[Neighbor] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """What is unlike the known, or like an example: from its first moment beyond the threshold to its last.

    ``worst`` is the moment furthest beyond it so far, ``moments`` how many are beyond it.
    """

    number: int
    start_s: float
    end_s: float
    worst: Moment
    moments: int = 1


class Events:
    """Merges scored moments, which come in order of time, into events."""

    def __init__(self, threshold: float, *, above: bool, hold_s: float = HOLD_S) -> None:
        """Beyond the threshold is what scores at least that much (``above``), or less."""
        if not hold_s >= 0:
            raise UsageError(f"--hold {hold_s}: cannot be negative")
        self.count = 0
        self._threshold, self._above, self._hold_s = threshold, above, hold_s
        self._event: Event | None = None
        self._last_start_s = 0.0

    def is_beyond(self, score: float) -> bool:
        """Whether a moment of that score makes an event."""
        return score >= self._threshold if self._above else score < self._threshold

    def feed(self, moment: Moment) -> Iterator[tuple[Phase, Event]]:
        """What begins or ends with this moment."""
        if not self.is_beyond(moment.score):
            if self._event is not None and moment.start_s - self._last_start_s >= self._hold_s:
                yield from self.finish()
            return
        self._last_start_s = moment.start_s
        if self._event is None:
            self.count += 1
            self._event = Event(self.count, moment.start_s, moment.end_s, moment)
            yield "begin", self._event
            return
        worst = moment if self._is_worse(moment, self._event.worst) else self._event.worst
        self._event = replace(
            self._event, end_s=max(moment.end_s, self._event.end_s), worst=worst, moments=self._event.moments + 1
        )

    def finish(self) -> Iterator[tuple[Phase, Event]]:
        """End the event that is going on, if there is one."""
        if self._event is not None:
            yield "end", self._event
            self._event = None

    def _is_worse(self, moment: Moment, other: Moment) -> bool:
        return moment.score > other.score if self._above else moment.score < other.score
