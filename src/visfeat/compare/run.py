"""compare: every recipe of a store on one task; the public function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from visfeat.compare.items import VideoRow, item_vectors, uris_with_rows
from visfeat.compare.knn import NEIGHBORS
from visfeat.compare.leaderboard import Entry, Leaderboard, check_sort, entry_names, sorted_entries
from visfeat.compare.measure import measure
from visfeat.compare.similarity import MEASURES, Profile, between, drawn_items
from visfeat.compare.task import Task, make_task
from visfeat.errors import UsageError, nearest_names
from visfeat.labels import Labels
from visfeat.store.feature_store import FeatureStore
from visfeat.store.runs import rows_per_s
from visfeat.store.selection import Space
from visfeat.train.metrics import RESAMPLES

SORT = "knn_top1"
_SHOWN = 20
"""How many recipes an error lists."""


def compare(  # noqa: PLR0913 (what a comparison can be told, all by name)
    store: FeatureStore,
    labels: Labels,
    *,
    recipes: Sequence[str] = (),
    layer: str | None = None,
    video: VideoRow = "mean",
    test: float = 0.25,
    seed: int = 0,
    neighbors: int = NEIGHBORS,
    sort: str = SORT,
    resamples: int = RESAMPLES,
    report: Callable[[str], None] = lambda _: None,
) -> Leaderboard:
    """Measure the features of a store on labeled items.

    labels: of ``visfeat.labels.read_labels``; where they say splits, those hold. ``recipes``: names, digests,
    beginnings of digests, or models; all by default. ``layer``: of these one layer alone. ``video``: what stands for a
    video. ``test``: the share of each class that is tested, by ``seed``. ``neighbors``: how many vote. ``report`` is
    called with a line for each recipe. In memory are the vectors of one recipe, one an item, and a block of cosines.

    Raises UsageError for a recipe that is not there, an empty store, labels of fewer than two classes, or classes that
    cannot be split; StoreError for vectors that are not finite; MissingExtra without scikit-learn.
    """
    if neighbors < 1:
        raise UsageError(f"--neighbors {neighbors}: must be at least 1")
    spaces = chosen_spaces(store, recipes, layer)
    readers = [store.read_space(space) for space in spaces]
    contents = {uri: item.content_hash for uri, item in store.known_items().items()}
    task = make_task(labels.entries, [uris_with_rows(one) for one in readers], contents, test=test, seed=seed)
    check_sort(sort, len(task.classes))
    drawn = drawn_items(len(task.uris), seed=seed)
    entries: list[Entry] = []
    profiles: dict[str, list[Profile]] = {name: [] for name in MEASURES}
    for reader, name in zip(readers, entry_names(spaces), strict=True):
        report(f"{name}: {len(task.uris):,} items")
        values = item_vectors(reader, task.uris, video=video)
        metrics = measure(values, task, neighbors=neighbors, seed=seed, resamples=resamples)
        entry = _entry(store, reader.space, name)
        entries.append(replace(entry, metrics=metrics))
        for kind, profile_of in MEASURES.items():
            profiles[kind].append(profile_of(values[drawn]))
    return _board(_with_similarities(entries, profiles), task, sort, labels)


def chosen_spaces(store: FeatureStore, recipes: Sequence[str] = (), layer: str | None = None) -> list[Space]:
    """The spaces that the words mean, each once, in their order; all of the store where there are none.

    Raises UsageError, which lists what there is, for a word that means none.
    """
    known = store.spaces(layer=layer)
    if not recipes:
        return known
    found: list[Space] = []
    for word in recipes:
        by_model = [space for space in known if space.stored.recipe.model == word]
        meant = by_model or [space for space in known if space.stored.goes_by(word)]
        if not meant:
            raise UsageError(_unknown(word, known, layer))
        found += [space for space in meant if space not in found]
    return found


def _unknown(word: str, known: Sequence[Space], layer: str | None) -> str:
    """What there is instead, by name and digest."""
    titles = {space.stored.digest: space.stored.title for space in known}
    there = ", ".join(f"{title} ({digest})" for digest, title in list(titles.items())[:_SHOWN])
    more = f" and {len(titles) - _SHOWN} more, as visfeat info lists them" if len(titles) > _SHOWN else ""
    with_layer = "" if layer is None else f" with a layer {layer}"
    hint = nearest_names(word, titles.values())
    return f"--recipes {word}: no recipe of the store{with_layer}{hint}; it has {there}{more}"


def _entry(store: FeatureStore, space: Space, name: str) -> Entry:
    width = int(np.prod(space.layer.shape))
    recipe = space.stored.recipe
    return Entry(
        name=name,
        recipe=space.stored.digest,
        model=recipe.model,
        layer=space.layer.layer,
        dimension=width,
        row_bytes=width * np.dtype(recipe.dtype).itemsize,
        rows_per_s=rows_per_s(store.path, space.stored.digest),
        metrics={},
    )


def _with_similarities(entries: Sequence[Entry], profiles: dict[str, list[Profile]]) -> list[Entry]:
    """Each entry with what it has in common with the others."""
    matrices = {kind: between(own) for kind, own in profiles.items()}

    def of_others(kind: str, row: int) -> dict[str, float]:
        return {other.name: float(matrices[kind][row, n]) for n, other in enumerate(entries) if n != row}

    return [
        replace(
            entry,
            cka=of_others("cka", row),
            cka_debiased=of_others("cka_debiased", row),
            rsa=of_others("rsa", row),
        )
        for row, entry in enumerate(entries)
    ]


def _board(entries: Sequence[Entry], task: Task, sort: str, labels: Labels) -> Leaderboard:
    complaint = labels.complaint()
    return Leaderboard(
        entries=sorted_entries(entries, sort),
        sort=sort,
        classes=task.classes,
        train_items=len(task.train),
        test_items=len(task.test),
        notes=(*((complaint,) if complaint else ()), *task.notes),
    )
