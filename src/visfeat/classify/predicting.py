"""From probabilities of rows to labels of items and of passages, and into the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.class_groups import ALL, Groups, likeliest
from visfeat.classify.classifier import Classifier, of_item
from visfeat.classify.fitting import check_vectors
from visfeat.errors import UsageError
from visfeat.frames import NO_TIME, Label
from visfeat.store.feature_store import FeatureStore
from visfeat.store.labels import WHOLE, LabelSource, LabelTable, PredictedLabel
from visfeat.store.reading import SpaceReader
from visfeat.store.selection import Space
from visfeat.train.data.examples import LABEL_SEPARATOR

Probabilities = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]

TOP = 5
"""How many classes are kept with each prediction."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The likeliest class of an item, or of its passage ``[start_s, end_s)``; both are None for the whole item.

    A passage is a run of rows with the same likeliest class, from the time of its first row to that of the next
    passage's. ``labels``: the likeliest classes, the likeliest first.
    """

    uri: str
    start_s: float | None
    end_s: float | None
    label: str
    probability: float
    labels: tuple[Label, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return asdict(self)


@dataclass(frozen=True)
class RowClassifier:
    """What gives classes to the rows of a space, and how a video's rows become one answer."""

    source: LabelSource
    classes: tuple[str, ...]
    probabilities: Callable[[Floats], Probabilities]
    """From values ``(n, D)`` to float64 ``(n, K)``."""
    item_temperature: float = 1.0
    groups: Groups = ALL
    """Which classes exclude each other; of several groups a label names the likeliest of each."""


def predict(
    store: FeatureStore, classifier: Classifier, *, name: str, top: int = TOP, keep: bool = True
) -> list[Prediction]:
    """The classes of every item of a store, and of the passages of its videos; kept in the store unless ``keep`` says.

    ``name``: under which the store keeps them, in place of what it has of that name. Sorted by URI and time, the whole
    item first. Raises UsageError where the store has not the rows of the classifier's recipe.
    """
    return predict_rows(store, space_of(store, classifier), row_classifier(classifier, name), top=top, keep=keep)


def row_classifier(classifier: Classifier, name: str) -> RowClassifier:
    """A classifier as what gives classes to rows."""
    card = classifier.card
    source = LabelSource(name, card.arrays_digest[:16], card.recipe_digest, card.layer)
    return RowClassifier(source, card.classes, classifier.probabilities, card.item_temperature)


def space_of(store: FeatureStore, classifier: Classifier) -> Space:
    """The space whose rows a classifier takes; raises UsageError where the store has it not, or of another width."""
    card = classifier.card
    known = [space for stored in store.recipes() for space in (Space(stored, shape) for shape in stored.layers)]
    found = [one for one in known if one.stored.digest == card.recipe_digest and one.layer.layer == card.layer]
    if not found:
        there = "".join(f"\n  {space}" for space in known[:4]) or " no features yet"
        raise UsageError(
            f"{store.path}: the classifier takes rows of recipe {card.recipe_digest} ({card.model}, layer "
            f"{card.layer}), which the store has not; visfeat extract --recipe takes the recipe.toml that lies beside "
            f"the card; the store has:{there}"
        )
    if found[0].layer.shape != (card.dimension,):
        raise UsageError(f"{store.path}: {found[0]} has rows of {found[0].layer.shape}, not of ({card.dimension},)")
    return found[0]


def predict_rows(
    store: FeatureStore,
    space: Space,
    by: RowClassifier,
    *,
    top: int = TOP,
    keep: bool = True,
    rows_of: FeatureStore | None = None,
) -> list[Prediction]:
    """The classes of every item of a space, by whatever gives classes to its rows; see ``predict``.

    ``rows_of``: the store that the space is of, where it is not the one whose items are labeled.
    """
    if top < 1:
        raise UsageError(f"top must be at least 1, not {top}")
    check_vectors(space)
    reader = (rows_of or store).read_space(space)
    keeper = _Keeper(store, by.source) if keep else None
    found: list[Prediction] = []
    for start, stop, items in _whole_items(reader):
        part = list(_predictions(reader, start, stop, items, by, top))
        found += part
        if keeper is not None:
            keeper.add(part)
    return found


class _Keeper:
    """Writes predictions into the store's table; items of equal content have equal rows, and are written once."""

    def __init__(self, store: FeatureStore, source: LabelSource) -> None:
        self._source = source
        self._table = LabelTable.create_or_open(store.path)
        self._table.forget(source.name)
        self._hashes = {uri: item.content_hash for uri, item in store.known_items().items()}
        self._kept: set[str] = set()

    def add(self, part: list[Prediction]) -> None:
        """Write the predictions of whole items."""
        chosen: dict[str, str] = {}
        for one in part:
            content = self._hashes.get(one.uri)  # None of an item that was removed meanwhile
            if content and content not in self._kept:
                chosen.setdefault(content, one.uri)
        self._kept |= chosen.keys()
        uris = set(chosen.values())
        self._table.add(self._source, _stored([one for one in part if one.uri in uris], self._hashes))


def _whole_items(reader: SpaceReader) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """Ranges of rows ``[start, stop)`` that part no item, of about 64 MB, and the first row of each item in them."""
    if len(reader) == 0:
        return
    first = np.flatnonzero(np.diff(reader.join.item, prepend=-1))
    stops = np.append(first[1:], len(reader))
    most = reader.rows_in(64 * 2**20)
    begin = 0
    for number in range(len(first)):
        last = number == len(first) - 1
        if last or stops[number + 1] - first[begin] > most:
            yield int(first[begin]), int(stops[number]), first[begin : number + 1]
            begin = number + 1


def _predictions(
    reader: SpaceReader, start: int, stop: int, first: NDArray[np.int64], by: RowClassifier, top: int
) -> Iterator[Prediction]:
    values, table = reader.rows(start, stop)
    probabilities = by.probabilities(values)
    starts, ends = (table[name].fill_null(NO_TIME).to_numpy() for name in ("start_s", "end_s"))
    bounds = [*(first - start).tolist(), stop - start]
    for begin, end in pairwise(bounds):
        own = slice(begin, end)
        uri = table["uri"][begin].as_py()
        yield _prediction(uri, None, None, of_item(probabilities[own], by.item_temperature), by, top)
        if end - begin > 1:
            for start_s, end_s, shares in _passages(probabilities[own], starts[own], ends[own], by.groups):
                yield _prediction(uri, start_s, end_s, shares, by, top)


def _passages(
    probabilities: Probabilities, starts_s: NDArray[np.float64], ends_s: NDArray[np.float64], groups: Groups
) -> Iterator[tuple[float, float, Probabilities]]:
    """Start, end and mean probabilities ``(K,)`` of each run of rows with the same likeliest class."""
    best = likeliest(probabilities, 1, groups=groups)
    first = np.flatnonzero((np.diff(best, axis=0, prepend=-1) != 0).any(axis=1))
    last_s = float(max(ends_s.max(), starts_s.max()))
    for number, begin in enumerate(first.tolist()):
        last = number == len(first) - 1
        end = len(best) if last else int(first[number + 1])
        yield float(starts_s[begin]), last_s if last else float(starts_s[end]), probabilities[begin:end].mean(axis=0)


def _prediction(
    uri: str, start_s: float | None, end_s: float | None, shares: Probabilities, by: RowClassifier, top: int
) -> Prediction:
    best, order = (likeliest(shares[None], count, groups=by.groups)[0] for count in (1, top))
    return Prediction(
        uri=uri,
        start_s=start_s,
        end_s=end_s,
        label=LABEL_SEPARATOR.join(by.classes[n] for n in best),
        probability=float(np.prod(shares[best])),
        labels=tuple(Label(by.classes[n], float(shares[n])) for n in order),
    )


def _stored(found: list[Prediction], hashes: dict[str, str]) -> Iterator[PredictedLabel]:
    """Predictions as rows of the store's table: the passages of an item are numbered from 0."""
    position = 0
    for one in found:
        whole = one.start_s is None
        position = 0 if whole else position
        yield PredictedLabel(
            hashes[one.uri],
            WHOLE if whole else position,
            one.start_s,
            one.end_s,
            one.label,
            one.probability,
            one.labels,
        )
        position += not whole
