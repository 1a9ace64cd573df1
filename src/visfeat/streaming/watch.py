"""watch: each moment of a source is scored against what a store knows; what is unlike it, or like an example, is told.

The score is a cosine: with the nearest of the store's rows, or with the example.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from visfeat.engine.prepare import Prepared
from visfeat.errors import UsageError
from visfeat.extraction.as_stored import prepare_as_stored
from visfeat.extraction.extractor import Extractor
from visfeat.media.address import live_address
from visfeat.search import cosines, find_row
from visfeat.store.feature_store import open_store
from visfeat.store.reading import SpaceReader
from visfeat.streaming.alarms import Alarms, Document
from visfeat.streaming.drive import Drive
from visfeat.streaming.events import HOLD_S, Event, Events, Moment, Phase
from visfeat.streaming.known import PERCENT, Known
from visfeat.streaming.record import check_bounds, silence_of, usual_on_full
from visfeat.streaming.rows import StreamRow
from visfeat.streaming.source import FrameSource, Report, source_of
from visfeat.streaming.stream import Stream

Vector = NDArray[np.floating[Any]]
OnEvent = Callable[[Document], None]


@dataclass(frozen=True, slots=True)
class Watched:
    """What a watch saw: how many moments it scored and how many events there were, beyond which threshold."""

    source: str
    looks_for: Literal["unlike", "like"]
    threshold: float
    moments: int
    events: int
    dropped: int
    problem: str | None
    interrupted: bool = False


def watch(  # noqa: PLR0913 (what a watch can be told, all by name)
    source: str,
    against: str | os.PathLike[str],
    *,
    model: str | None = None,
    layer: str | None = None,
    recipe: str | None = None,
    like: str | os.PathLike[str] | None = None,
    item: str | None = None,
    at_s: float | None = None,
    threshold: float | None = None,
    hold_s: float = HOLD_S,
    top: int = 1,
    every_s: Fraction | float | None = None,
    live_s: Fraction | float | None = None,
    max_frames: int | None = None,
    command: str | None = None,
    webhook: str | None = None,
    on_event: OnEvent = lambda _: None,
    report: Report = lambda _: None,
) -> Watched:
    """Score every moment of a live source or a video file against a store, and tell what stands out.

    Unlike: its cosine with the nearest known row is below ``threshold``. With ``like`` (a picture) or ``item`` (a URI
    of the store, of a video with ``at_s``): its cosine with that example is at least ``threshold``. Unless said, the
    threshold comes from the store's own rows (``Known.usual_score``, ``Known.usual_likeness``) and is reported.
    ``model``, ``layer`` and ``recipe`` choose among several features, as in ``FeatureStore.features``; the network is
    the store's own, and so is the sampling, unless ``every_s`` says another.

    Neighboring moments are one event (``events``, with ``hold_s``). ``on_event`` gets it as plain data
    (``document_of``) when it begins and when it ends; ``webhook`` gets the same as JSON; ``command`` is run when it
    begins, with {time_s}, {score}, ... filled in.
    ``top``: how many known rows are named. ``live_s`` and ``max_frames`` bound the watch; Ctrl-C ends it too.

    Raises UsageError, StoreError, MediaError where source or example cannot be opened, and what ``extract`` raises.
    """
    if like is not None and item is not None:
        raise UsageError("--like and --item exclude each other: one example")
    check_bounds(live_s, max_frames)
    reader = open_store(os.fspath(against)).reader(model, layer, recipe)
    known = Known(reader)
    prepared = prepare_as_stored(reader.space, report=report, every_s=every_s)
    example = _example(reader, prepared, like, item, at_s)
    limit = _threshold(known, example, threshold, report)
    events = Events(limit, above=example is not None, hold_s=hold_s)
    bound_s = None if live_s is None else Fraction(live_s)
    with ExitStack() as stack:
        alarms = stack.enter_context(Alarms(command=command, webhook=webhook, report=report))
        frames = source_of(source, prepared.recipe, live_s=bound_s, max_frames=max_frames, report=report)
        on_full = usual_on_full(live_address(source))
        stream = stack.enter_context(Stream(prepared=prepared, on_full=on_full))
        teller = _Teller(frames.name, "unlike" if example is None else "like", limit, alarms, on_event)
        watcher = _Watcher(known, example, top, events, teller)
        completed = Drive(stream, frames, watcher.take).run(silence_s=silence_of(bound_s))
        teller.tell(events.finish())
    return _summary(watcher, stream, frames, interrupted=not completed)


def _example(
    reader: SpaceReader, prepared: Prepared, like: str | os.PathLike[str] | None, item: str | None, at_s: float | None
) -> Vector | None:
    """The vector of what is looked for; None where whatever is unlike the known is."""
    if item is not None:
        row = find_row(reader, item, at_s)
        stored: Vector = reader.rows(row, row + 1)[0][0]
        return stored
    if at_s is not None:
        raise UsageError("--at: belongs to --item, a video of the store")
    if like is None:
        return None
    values = Extractor(prepared=prepared)([like])
    assert not isinstance(values, dict)
    vector: Vector = values[0]
    return vector


def _threshold(known: Known, example: Vector | None, said: float | None, report: Report) -> float:
    """The threshold and, in a report, where it comes from."""
    if said is not None:
        if not -1 <= said <= 1:
            raise UsageError(f"--threshold {said}: a cosine, from -1 to 1")
        return said
    if example is None:
        limit = known.usual_score()
        report(f"unlike is what scores below {limit:.3f}: {PERCENT:g} % of the store's own {len(known)} rows do")
    else:
        limit = known.usual_likeness(example)
        report(f"like is what scores {limit:.3f} and more: {PERCENT:g} % of the store's own {len(known)} rows do")
    return limit


@dataclass
class _Teller:
    """Tells of events: to whoever called, and to command and webhook."""

    source: str
    looks_for: Literal["unlike", "like"]
    threshold: float
    alarms: Alarms
    on_event: OnEvent

    def tell(self, changes: Iterator[tuple[Phase, Event]]) -> None:
        for phase, event in changes:
            document = document_of(phase, event, self.source, self.looks_for, self.threshold)
            self.on_event(document)
            self.alarms.send(document)


@dataclass
class _Watcher:
    """Scores rows as they come."""

    known: Known
    example: Vector | None
    top: int
    events: Events
    teller: _Teller
    moments: int = 0

    def take(self, rows: Sequence[StreamRow]) -> None:
        """Score rows and tell what begins or ends with them."""
        for row in rows:
            self.moments += 1
            self.teller.tell(self.events.feed(self._scored(row)))

    def _scored(self, row: StreamRow) -> Moment:
        scores = self.known.scores(row.vector)
        score = float(scores.max()) if self.example is None else float(cosines(row.vector[None], self.example)[0])
        wanted = self.top > 0 and self.events.is_beyond(score)
        nearest = self.known.described(scores, self.top) if wanted else ()
        return Moment(row.start_s, row.end_s, score, nearest)


def document_of(phase: Phase, event: Event, source: str, looks_for: str, threshold: float) -> dict[str, Any]:
    """An event as plain data: times in seconds after the source's first frame, ``time_s`` that of the worst moment."""
    return {
        "source": source,
        "looks_for": looks_for,
        "phase": phase,
        "event": event.number,
        "start_s": event.start_s,
        "end_s": event.end_s,
        "time_s": event.worst.start_s,
        "score": event.worst.score,
        "threshold": threshold,
        "moments": event.moments,
        "nearest": [
            {"uri": one.uri, "start_s": one.start_s, "end_s": one.end_s, "score": one.score}
            for one in event.worst.nearest
        ],
    }


def _summary(watcher: _Watcher, stream: Stream, frames: FrameSource, *, interrupted: bool) -> Watched:
    teller = watcher.teller
    return Watched(
        source=frames.name,
        looks_for=teller.looks_for,
        threshold=teller.threshold,
        moments=watcher.moments,
        events=watcher.events.count,
        dropped=stream.dropped,
        problem=frames.problem,
        interrupted=interrupted,
    )
