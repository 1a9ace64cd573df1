"""The vocabulary of VLAD: learned once from a store's rows, and kept there, so that later runs give the same numbers.

It lies in the store's folder under the digest of the rows' recipe; videos that come later are described by the
vocabulary that is there. Another seed or number of centers, or a file of one's own, is another vocabulary.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visfeat.store.feature_store import FeatureStore
from visfeat.store.reading import SpaceReader
from visfeat.store.records import StoredRecipe
from visfeat.store.schemas import FEATURES_PREFIX, features_table_name
from visfeat.store.selection import Space
from visfeat.temporal.rows import Values
from visfeat.temporal.vlad import MOST_ROWS, learn_centers
from visfeat.temporal.weights import Weights, keep_weights, read_weights

FOLDER = "vocabularies"


def vocabulary(store: FeatureStore, rows: StoredRecipe, layer: str, count: int, seed: int) -> Weights:
    """``{"centers": float32 (count, D)}`` of a layer of a recipe's rows, learned now where the store has none yet.

    Raises UsageError where there are too few rows, MissingExtra, and ModelError where the file is damaged.
    """
    path = _path(store, rows, layer, count, seed)
    if not path.is_file():
        (shape,) = [one for one in rows.layers if one.layer == layer]
        sample = drawn_rows(store.read_space(Space(rows, shape)), seed=seed)
        centers = learn_centers(sample, count, seed=seed)
        keep_weights(path, {"centers": centers.astype(np.float32)})
    # Read also what was just written: another process may have been faster.
    return read_weights(path)


def known_vocabulary(store: FeatureStore, rows: StoredRecipe, layer: str, count: int, seed: int) -> Weights:
    """The vocabulary that the store has; raises LookupError where it was not learned yet."""
    path = _path(store, rows, layer, count, seed)
    if not path.is_file():
        raise LookupError(path.name)
    return read_weights(path)


def _path(store: FeatureStore, rows: StoredRecipe, layer: str, count: int, seed: int) -> Path:
    name = features_table_name(rows.digest, layer).removeprefix(FEATURES_PREFIX)
    return store.path / FOLDER / f"{name}.kmeans-{seed}-{count}.safetensors"


def drawn_rows(reader: SpaceReader, *, seed: int, most: int = MOST_ROWS) -> Values:
    """All rows of a space ``(N, D)``, or ``most`` of them drawn by the seed, in the order of the space."""
    if len(reader) <= most:
        return reader.all_values()
    chosen = np.sort(np.random.default_rng(seed).choice(len(reader), most, replace=False))
    size = reader.rows_in(64 * 2**20)
    return np.concatenate([reader.at(chosen[start : start + size])[0] for start in range(0, most, size)])
