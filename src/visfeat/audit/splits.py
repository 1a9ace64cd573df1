"""Which split an item is of, by the folders that it lies in."""

from __future__ import annotations

from pathlib import Path

from visfeat.errors import UsageError
from visfeat.media.item import path_of
from visfeat.store.feature_store import FeatureStore
from visfeat.train.data.examples import SPLIT_WORDS


def folder_splits(store: FeatureStore) -> dict[str, str]:
    """URI -> train, val or test, by the innermost folder of such a name; items in none are left out.

    Raises UsageError where no item lies in one.
    """
    found = {}
    for uri in store.known_items():
        names = [SPLIT_WORDS[name.lower()] for name in Path(path_of(uri)).parts[:-1] if name.lower() in SPLIT_WORDS]
        if names:
            found[uri] = str(names[-1])
    if not found:
        raise UsageError(f"--split folders: no item lies in a folder called {', '.join(SPLIT_WORDS)}")
    return found
