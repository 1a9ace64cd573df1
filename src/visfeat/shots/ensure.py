"""The shots of contents: those that a store knows, and others, which are found on demand and kept in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visfeat.engine.resolve_shots import SHOT_MODEL
from visfeat.errors import MediaError
from visfeat.media.item import Kind, MediaItem
from visfeat.media.read import identify
from visfeat.models.bundled import BundledModels
from visfeat.models.source import ModelRequest
from visfeat.sample import evenly_spaced
from visfeat.shots.detect import THRESHOLD, Shot, shots_of_item
from visfeat.shots.transnetv2 import ShotDetector

if TYPE_CHECKING:
    import pyarrow as pa

_TICKS_A_SECOND = 100_000
"""No usual container counts finer: 90,000 a second at most, or 60,000/1001 frames."""


class StoredShots:
    """The shots of a store's contents by one network and threshold; its methods may be called from any thread."""

    def __init__(
        self, store: str | Path, *, threshold: float = THRESHOLD, threads: int | None = None, anew: bool = False
    ) -> None:
        """``threads``: how many cores the network may use, None for all. ``anew``: what the store knows counts not.

        The store need not be there. Raises StoreError.
        """
        from visfeat.store.shots import ShotTable  # imports Lance, which a cold start does beside its compilation

        self.threshold = threshold
        self._store = Path(store).expanduser().absolute()
        self._threads = threads
        self._digest = BundledModels().load(ModelRequest(SHOT_MODEL)).digest
        is_there = self._store.is_dir() and any(self._store.iterdir())
        table = ShotTable.open(self._store) if is_there and not anew else None
        self._known = {} if table is None else _by_content(table.read(), self._digest, threshold)
        self._detector: ShotDetector | None = None
        self._lock = threading.Lock()
        self._create_table = ShotTable.create_or_open

    @property
    def contents(self) -> frozenset[str]:
        """The hashes of the contents whose shots are known."""
        with self._lock:
            return frozenset(self._known)

    def detector(self) -> ShotDetector:
        """The network, compiled when it is first asked for. Raises ModelError."""
        with self._lock:
            if self._detector is None:
                self._detector = ShotDetector(threads=self._threads)
            return self._detector

    def known(self, content_hash: str) -> tuple[Shot, ...] | None:
        """The shots of a content, None where they are not known."""
        with self._lock:
            return self._known.get(content_hash)

    def keep(self, content_hash: str, shots: Sequence[Shot]) -> None:
        """Write the shots of a content, in place of those that the same network found before. Raises StoreError."""
        with self._lock:
            table = self._create_table(self._store)
            table.replace(content_hash, shots, threshold=self.threshold, model_digest=self._digest)
            # As the table gives them back, so that a later run sees the very same times.
            self._known[content_hash] = tuple(_stored(shot) for shot in shots)

    def of(
        self, item: MediaItem, *, stream: int | None = None, on_frame: Callable[[], None] = lambda: None
    ) -> tuple[Shot, ...]:
        """The shots of an identified video; where they are not known they are found in a decode, and kept.

        ``stream``: which video stream; a store knows the shots of the best one alone. ``on_frame`` is called with each
        frame and may raise to stop. Raises MediaError where the video cannot be read, StoreError, ModelError.
        """
        known = self.known(item.content_hash) if stream is None else None
        if known is not None:
            return known
        found = shots_of_item(item, self.detector(), threshold=self.threshold, stream=stream, on_frame=on_frame).shots
        if stream is None:
            self.keep(item.content_hash, found)
        return found


def ensure_shots(
    store: str | Path,
    items: Iterable[MediaItem],
    *,
    threshold: float = THRESHOLD,
    threads: int | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, tuple[Shot, ...]]:
    """The shots of all videos among the items, by content hash; those that the store lacks are found and kept.

    An item without a content hash is read first. What cannot be read is left out, and ``report`` is told why.
    """
    stored = StoredShots(store, threshold=threshold, threads=threads)
    found: dict[str, tuple[Shot, ...]] = {}
    for item in items:
        try:
            read = item if item.content_hash else identify(item)[0]
            if read.kind is Kind.VIDEO:
                found[read.content_hash] = stored.of(read)
        except MediaError as error:
            report(f"{item.uri}: {error}")
    return found


def times_in_shots(shots: Iterable[Shot], number: int) -> Iterator[Fraction]:
    """The middles of ``number`` equal parts of each shot, in order of time: the times of ``--frames-per-shot``."""
    for shot in map(_stored, shots):
        yield from evenly_spaced(number, shot.end_s - shot.start_s, start_s=shot.start_s)


def exact_s(seconds: float) -> Fraction:
    """The time that a store's float64 was made of, where it is a whole number of a container's ticks.

    Else a frame that goes on display at that very moment would be missed by a rounding.

    >>> exact_s(1.2)
    Fraction(6, 5)
    """
    return Fraction(seconds).limit_denominator(_TICKS_A_SECOND)


def _stored(shot: Shot) -> Shot:
    return Shot(
        exact_s(float(shot.start_s)),
        exact_s(float(shot.end_s)),
        shot.start_frame,
        shot.end_frame,
        shot.probability,
    )


def _by_content(table: pa.Table, digest: str, threshold: float) -> dict[str, tuple[Shot, ...]]:
    """Content hash -> its shots, of the rows that this network found at this threshold (kept as float32)."""
    found: dict[str, list[Shot]] = {}
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        if row["model_digest"] == digest and abs(row["threshold"] - threshold) < 1e-6:
            shot = Shot(
                exact_s(row["start_s"]), exact_s(row["end_s"]), row["start_frame"], row["end_frame"], row["probability"]
            )
            found.setdefault(row["content_hash"], []).append(shot)
    return {content_hash: tuple(shots) for content_hash, shots in found.items()}
