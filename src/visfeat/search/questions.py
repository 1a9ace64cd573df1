"""Questions: pictures, moments of videos, items of the store, vectors and texts as directions of one space."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visfeat.durations import moment
from visfeat.errors import UsageError
from visfeat.frames import Features
from visfeat.search.directions import Direction, combined, mean_direction, unit
from visfeat.search.rows import find_row, rows_of

if TYPE_CHECKING:
    from visfeat.extraction.extractor import Extractor, Picture
    from visfeat.store.feature_store import FeatureStore
    from visfeat.store.reading import SpaceReader

_ROUNDING_S = Fraction(1, 1_000_000)
"""A time that a store gave is the nearest float64, and may lie before the frame that it means."""
_MOMENT = "#t="
_BLOCK_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Shown:
    """What a question showed, for people: the file (or a word for what is none) and the moment."""

    name: str
    at_s: float | None = None
    wanted: bool = True
    is_file: bool = True


@dataclass(frozen=True)
class Question:
    """A direction float32 ``(D,)`` to search in, what it was made of, and which rows of the store it was made of."""

    direction: Direction
    shown: Sequence[Shown]
    own: Sequence[tuple[int, int | None]] = ()
    """Item and row, None for all rows of the item: no answer, since they are the question."""


@dataclass
class Asking:
    """Gathers what is wanted and what is not, each as a direction of the reader's space."""

    store: FeatureStore
    reader: SpaceReader
    report: Callable[[str], None] = lambda _: None
    wanted: list[Direction] = field(default_factory=list)
    unwanted: list[Direction] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    own: list[tuple[int, int | None]] = field(default_factory=list)

    def question(self) -> Question:
        """All of it as one direction; raises UsageError where nothing was asked, or nothing is left of it."""
        if not self.wanted:
            raise UsageError("nothing to search for: give --image, --video, --item, --vector or --text")
        return Question(combined(self.wanted, self.unwanted), tuple(self.shown), tuple(self.own))

    def image(self, picture: Picture, *, wanted: bool = True) -> None:
        """A path, a PIL image or a uint8 array; raises MediaError that names the file that cannot be read."""
        name = os.fspath(picture) if isinstance(picture, str | os.PathLike) else "picture"
        values = self._of_layer(self._extractor([picture]))
        (self.wanted if wanted else self.unwanted).append(self._unit(values[0], name))
        is_file = isinstance(picture, str | os.PathLike)
        self.shown.append(Shown(name, wanted=wanted, is_file=is_file))

    def video(self, address: str | os.PathLike[str]) -> None:
        """A moment of a video, ``q.mp4#t=12.5``, or the mean of all its rows; raises MediaError, UsageError."""
        path, at_s = parted(address)
        if at_s is None:
            found = self._extractor.video(path)
            features = found if isinstance(found, Features) else found[self._layer]
            self.wanted.append(mean_direction([self._unit(row, path) for row in features.values], subject=path))
        else:
            rows = self._extractor.moment(path, at_s + _ROUNDING_S)
            self.wanted.append(self._unit(rows[self._layer] if isinstance(rows, dict) else rows, path))
        self.shown.append(Shown(path, None if at_s is None else float(at_s)))

    def item(self, uri: str, at_s: float | None = None) -> None:
        """An image of the store, a video's row at ``at_s``, or the mean of all its rows; raises UsageError."""
        if at_s is None:
            uri, said = parted(uri)
            at_s = None if said is None else float(said)
        rows = rows_of(self.reader, uri)
        item = int(self.reader.join.item[rows[0]])
        if at_s is None:
            parts = [rows[start : start + _BLOCK_ROWS] for start in range(0, len(rows), _BLOCK_ROWS)]
            units = [self._unit(value, uri) for part in parts for value in self.reader.at(part)[0]]
            self.wanted.append(mean_direction(units, subject=uri))
            self.own.append((item, None))
        else:
            row = find_row(self.reader, uri, at_s)
            self.wanted.append(self._unit(self.reader.rows(row, row + 1)[0][0], uri))
            self.own.append((item, row))
        self.shown.append(Shown(self.reader.join.uris[item], at_s))

    def vector(self, vector: NDArray[np.floating[Any]] | str | os.PathLike[str]) -> None:
        """An array, or a file of NumPy's: one vector ``(D,)``, or several ``(N, D)``; raises UsageError."""
        name = "vector" if isinstance(vector, np.ndarray) else os.fspath(vector)
        values = vector if isinstance(vector, np.ndarray) else read_vector(vector)
        shape = self.reader.space.layer.shape
        rows = values[None] if values.shape == shape or values.ndim == 1 else values
        if not len(rows):
            raise UsageError(f"{name}: holds no vector")
        self.wanted += [self._unit(row, name) for row in rows]
        self.shown.append(Shown(name, is_file=False))

    def text(self, words: str) -> None:
        """Words, where the recipe's model has a text tower; raises UsageError where it has none, MissingExtra."""
        from visfeat.search.texts import text_direction

        self.wanted.append(self._unit(text_direction(self.reader.space, words), f"--text {words!r}"))
        self.shown.append(Shown(words, is_file=False))

    @cached_property
    def _extractor(self) -> Extractor:
        from visfeat.extraction.as_stored import extractor_as_stored

        return extractor_as_stored(self.store, self.reader.space, report=self.report)

    @property
    def _layer(self) -> str:
        return self.reader.space.layer.layer

    def _of_layer(self, values: Any) -> NDArray[np.floating[Any]]:
        found: NDArray[np.floating[Any]] = values[self._layer] if isinstance(values, dict) else values
        return found

    def _unit(self, values: NDArray[np.floating[Any]], subject: str) -> Direction:
        return unit(values, subject=subject, width=int(np.prod(self.reader.space.layer.shape)))


def parted(address: str | os.PathLike[str]) -> tuple[str, Fraction | None]:
    """A path and the moment behind ``#t=`` (W3C media fragments): seconds, or as a clock shows it; raises UsageError.

    >>> parted("a.mp4#t=1:05"), parted("b#c.mp4")
    (('a.mp4', Fraction(65, 1)), ('b#c.mp4', None))
    """
    text = os.fspath(address)
    path, mark, said = text.rpartition(_MOMENT)
    if not mark or os.path.exists(text):
        return text, None
    try:
        return path, moment(said.removeprefix("npt:"))
    except ValueError as error:
        raise UsageError(f"{text}: the moment after {_MOMENT} {error}") from None


def read_vector(path: str | os.PathLike[str]) -> NDArray[np.floating[Any]]:
    """The numbers in a .npy file; raises UsageError that names it."""
    try:
        values = np.load(Path(path), allow_pickle=False)
    except OSError as error:
        raise UsageError(f"--vector {path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, EOFError) as error:
        raise UsageError(f"--vector {path}: no array of numbers in NumPy's format ({error})") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu" or values.ndim == 0:
        raise UsageError(f"--vector {path}: an array of numbers is needed, such as np.save('q.npy', vector) writes")
    return values.astype(np.float32) if values.dtype.kind in "iu" else values
