"""search: from a question in any form to the passages of a store that answer it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visfeat.errors import UsageError
from visfeat.search.index import EXACT_ROWS
from visfeat.search.indexed import IndexedRows
from visfeat.search.questions import Asking, Shown
from visfeat.search.searcher import Passage, Searcher
from visfeat.search.where import matching_uris

if TYPE_CHECKING:
    from visfeat.extraction.extractor import Picture
    from visfeat.store.feature_store import FeatureStore
    from visfeat.store.reading import SpaceReader

Words = str | os.PathLike[str]


@dataclass(frozen=True)
class Answer:
    """What a search found, the best first, and what it was asked; ``rows``: among how many rows it looked."""

    passages: list[Passage]
    shown: Sequence[Shown]
    rows: int


def search(  # noqa: PLR0913 (what a search can be told, all by name)
    store: FeatureStore,
    *,
    image: Picture | Sequence[Picture] | None = None,
    video: Words | Sequence[Words] | None = None,
    item: str | Sequence[str] | None = None,
    at_s: float | None = None,
    vector: NDArray[np.floating[Any]] | Words | None = None,
    text: str | Sequence[str] | None = None,
    unlike: Picture | Sequence[Picture] | None = None,
    k: int = 20,
    where: str | None = None,
    exact: bool = False,
    model: str | None = None,
    layer: str | None = None,
    recipe: str | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Answer:
    """The k passages of a store that are most like what is shown.

    ``image``: paths, PIL images or uint8 arrays; ``video``: a path, with a moment as ``q.mp4#t=12.5``; ``item``: URIs
    of the store, of a video with ``#t=`` or ``at_s``; ``vector``: an array ``(D,)`` or ``(N, D)``, or its .npy file;
    ``text``: words, where the model has a text tower. A video without a moment is the mean of its rows. Several are one
    question, the mean of their unit vectors, less half the mean of ``unlike``.

    Pictures and videos go through the recipe that made the rows, engine and precision included. ``model``, ``layer``
    and ``recipe`` choose among several, as in ``FeatureStore.features``; ``where`` chooses the items that may answer,
    as in ``matching_uris``. A store's index is used where there is one, but not with ``exact`` or ``where``, which
    compare with all rows. ``report`` is told what a person would want to know (packing, fewer answers than k).

    Raises UsageError, MediaError that names a file that cannot be read, ModelError where the model is not the same.
    """
    if at_s is not None and (item is None or len(_several(item)) != 1):
        raise UsageError("--at: belongs to one --item, a video of the store")
    reader = store.reader(model, layer, recipe)
    searcher = _searcher(store, reader, where=where, exact=exact, report=report)
    asking = Asking(store, reader, report)
    for uri in _several(item):
        asking.item(uri, at_s)
    for given in () if vector is None else (vector,):
        asking.vector(given)
    for picture in _several(image):
        asking.image(picture)
    for address in _several(video):
        asking.video(address)
    for words in _several(text):
        asking.text(words)
    for picture in _several(unlike):
        asking.image(picture, wanted=False)
    found = searcher.search(asking.question(), k)
    if len(found) < k:
        report(f"-k {k}: there are {len(found)} answers in {len(searcher)} rows; all are given")
    return Answer(found, asking.shown, len(searcher))


def _searcher(
    store: FeatureStore, reader: SpaceReader, *, where: str | None, exact: bool, report: Callable[[str], None]
) -> Searcher:
    """By the index where there is one and nothing else was asked for; ``report`` is told where one would help."""
    if where is not None or exact:
        return Searcher(reader, among=None if where is None else matching_uris(store, where), hold=False)
    indexed = IndexedRows.of(store.path, reader)
    if indexed is None and len(reader) > EXACT_ROWS:
        report(f"all {len(reader)} rows are compared; visfeat index {store.path} makes searching faster")
    elif indexed is not None and indexed.later_rows > EXACT_ROWS:
        report(f"{indexed.later_rows} rows are newer than the index; visfeat index {store.path} brings it up to date")
    return Searcher(reader, indexed=indexed, hold=False)


def _several(given: Any) -> Sequence[Any]:
    """One or several, as several; an array is one picture."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str | os.PathLike | Image.Image | np.ndarray) else tuple(given)
