"""Clustering a store: from the rows of a space to clusters with their exemplars, in flat memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visfeat.cluster.density import NOISE, Densities, fit_densities
from visfeat.cluster.exemplars import exemplars
from visfeat.cluster.kmeans import Rows, choose_k, fit_centers, nearest_center
from visfeat.errors import UsageError
from visfeat.pca import principal_of
from visfeat.store.feature_store import FeatureStore
from visfeat.store.reading import SpaceReader
from visfeat.store.unit_rows import check_not_empty, drawn, unit_blocks, unit_rows

Method = Literal["kmeans", "hdbscan"]
METHODS: tuple[Method, ...] = ("kmeans", "hdbscan")
DEFAULT_MIN_SIZE = 5
DEFAULT_EXEMPLARS = 6

_FITTED_ROWS, _FITTED_BYTES = 65_536, 256 * 2**20
"""What k-means is fitted on at most; all other rows go to the nearest center."""
_DENSITY_ROWS = 20_000
"""What HDBSCAN is fitted on at most, whose time grows with the square of the rows."""
_CHOOSING_ROWS, _CHOOSING_DIMS = 2000, 64
"""Rows and principal components that k is chosen by: a silhouette takes the distances of all to all."""


@dataclass(frozen=True, slots=True)
class Member:
    """A row of a cluster: an image, or the frame of a video on display during ``[start_s, end_s)``."""

    uri: str
    start_s: float | None
    end_s: float | None
    distance: float
    """From the cluster's center, between vectors of unit length: 0 to 2."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster: how many rows it has, of how many items, and the rows that show it best."""

    number: int
    """From 0, the largest cluster first."""
    rows: int
    items: int
    exemplars: tuple[Member, ...]


@dataclass(frozen=True)
class Clustering:
    """The clusters of a space.

    label: int64 ``(N,)``, the cluster of each row, -1 for noise; distance: float32 ``(N,)``, from the center of its
    cluster, NaN for noise; ``silhouettes``: k -> score where k was chosen.
    """

    method: Method
    clusters: tuple[Cluster, ...]
    label: NDArray[np.int64]
    distance: NDArray[np.float32]
    reader: SpaceReader
    fitted_rows: int
    """How many rows it was fitted on; the others were put where they are nearest."""
    silhouettes: Mapping[int, float] = field(default_factory=dict)

    @property
    def noise(self) -> int:
        """How many rows are in no cluster."""
        return int((self.label == NOISE).sum())


def cluster(
    store: FeatureStore,
    *,
    method: Method = "kmeans",
    k: int | Literal["auto"] = "auto",
    min_size: int = DEFAULT_MIN_SIZE,
    most_exemplars: int = DEFAULT_EXEMPLARS,
    seed: int = 0,
    layer: str | None = None,
    recipe: str | None = None,
) -> Clustering:
    """Cluster the rows of one space, as vectors of unit length.

    ``kmeans``: into ``k`` clusters, or into as many as have the best mean silhouette among those of
    ``kmeans.numbers_to_try``, on 64 principal components of a sample of 2,000 rows. ``hdbscan``: into as many as are
    dense, each of ``min_size`` rows or more, on 32 principal components; ``k`` is not asked for. ``layer`` and
    ``recipe`` choose among several features, as in ``FeatureStore.features``. The same seed gives the same clusters.

    Raises UsageError for a store without rows, k larger than the store, and options that cannot be; MissingExtra.
    """
    if method not in METHODS:
        raise UsageError(f"--method {method}: there are {' and '.join(METHODS)}")
    if method == "hdbscan" and k != "auto":
        raise UsageError(f"-k {k}: HDBSCAN finds how many clusters there are; --min-size says how small they may be")
    for option, value, least in (("--min-size", min_size, 2), ("--exemplars", most_exemplars, 1)):
        if value < least:
            raise UsageError(f"{option} {value}: must be at least {least}")
    reader = store.reader(layer=layer, recipe=recipe)
    check_not_empty(reader)
    if method == "kmeans":
        label, distance, fitted, scores = _by_kmeans(reader, k, seed)
    else:
        scores = {}
        label, distance, fitted = _by_density(reader, min_size, seed)
    label = _by_size(label)
    return Clustering(
        method, _described(reader, label, distance, most_exemplars), label, distance, reader, fitted, scores
    )


def _by_kmeans(
    reader: SpaceReader, k: int | Literal["auto"], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], int, Mapping[int, float]]:
    if k != "auto" and not 1 <= k <= len(reader):
        raise UsageError(f"-k {k}: must be between 1 and {len(reader)}, the rows of the store")
    width = int(np.prod(reader.space.layer.shape))
    sample = drawn(len(reader), max(min(_FITTED_ROWS, _FITTED_BYTES // (4 * width)), _CHOOSING_ROWS), seed)
    if k != "auto" and k > len(sample):
        raise UsageError(f"-k {k}: at most {len(sample)} clusters are made of vectors of {width} values")
    values = unit_rows(reader, sample)
    scores = choose_k(_few_dims(values[drawn(len(values), _CHOOSING_ROWS, seed)]), seed) if k == "auto" else {}
    number = max(scores, key=lambda one: (scores[one], -one)) if k == "auto" else k
    centers = fit_centers(values, number, seed)
    label, distance = np.empty(len(reader), np.int64), np.empty(len(reader), np.float32)
    for indices, block in unit_blocks(reader):
        label[indices], distance[indices] = nearest_center(block, centers)
    return label, distance, len(sample), scores


def _few_dims(values: Rows) -> Rows:
    """Rows on their first principal components, whose distances cost a fraction and say nearly the same."""
    return principal_of(values, _CHOOSING_DIMS)(values)


def _by_density(reader: SpaceReader, min_size: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    sample = drawn(len(reader), _DENSITY_ROWS, seed)
    fitted = fit_densities(unit_rows(reader, sample), min_size)
    label = _labels(reader, sample, fitted)
    count = len(fitted.reach)
    width = int(np.prod(reader.space.layer.shape))
    totals, sizes = np.zeros((count, width)), np.bincount(label[label >= 0], minlength=count)
    for indices, block in unit_blocks(reader):
        for one in np.unique(label[indices]):
            if one != NOISE:
                totals[one] += block[label[indices] == one].sum(axis=0, dtype=np.float64)
    centers = (totals / np.maximum(sizes, 1)[:, None]).astype(np.float32)
    distance = np.full(len(reader), np.nan, np.float32)
    for indices, block in unit_blocks(reader):
        within = label[indices] != NOISE
        apart = block[within] - centers[label[indices][within]]
        distance[indices[within]] = np.sqrt(np.einsum("nd,nd->n", apart, apart))
    return label, distance, len(sample)


def _labels(reader: SpaceReader, sample: NDArray[np.int64], fitted: Densities) -> NDArray[np.int64]:
    """The cluster of every row: HDBSCAN's own of those it was fitted on, the others by ``Densities.label_of``."""
    label = np.full(len(reader), NOISE, np.int64)
    label[sample] = fitted.label
    if len(sample) < len(reader):
        was_fitted = np.zeros(len(reader), bool)
        was_fitted[sample] = True
        for indices, block in unit_blocks(reader):
            new = ~was_fitted[indices]
            label[indices[new]] = fitted.label_of(block[new])
    return label


def _by_size(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same clusters, numbered from the largest on, without those that no row is in; of equal ones the first."""
    sizes = np.bincount(label[label >= 0])
    order = np.lexsort((np.arange(len(sizes)), -sizes))
    number = np.full(len(sizes) + 1, NOISE, np.int64)  # the last one is that of noise
    number[order] = np.arange(len(sizes))
    return number[label]


def _described(
    reader: SpaceReader, label: NDArray[np.int64], distance: NDArray[np.float32], most: int
) -> tuple[Cluster, ...]:
    order = np.argsort(label, kind="stable")
    bounds = np.searchsorted(label[order], np.arange(label.max() + 2))
    found = []
    for number, (first, stop) in enumerate(pairwise(bounds.tolist())):
        members = order[first:stop]
        shown = exemplars(reader.join, members, distance, most)
        rows = reader.metadata_at(shown).to_pylist()
        found.append(
            Cluster(
                number,
                len(members),
                len(np.unique(reader.join.item[members])),
                tuple(
                    Member(row["uri"], row["start_s"], row["end_s"], float(distance[index]))
                    for row, index in zip(rows, shown, strict=True)
                ),
            )
        )
    return tuple(found)
