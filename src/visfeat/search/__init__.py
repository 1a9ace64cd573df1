"""Search: the rows of a store nearest to a picture, a moment of a video, an item, a vector or a text.

``answer`` has ``search``, the whole way from a question to passages; ``rows`` finds rows of the store itself and their
neighbors; ``exact`` and ``index`` compare vectors; ``where`` chooses items by their columns. The names below are
imported when they are first used: whoever needs cosines alone does not wait for Lance.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visfeat.search.answer import Answer, search
    from visfeat.search.exact import cosines, largest, nearest
    from visfeat.search.index import ExactIndex, VectorIndex, build_index
    from visfeat.search.rows import Neighbor, find_row, neighbors
    from visfeat.search.searcher import Passage, Searcher
    from visfeat.search.where import matching_uris

_WHERE = {
    "Answer": "answer",
    "ExactIndex": "index",
    "Neighbor": "rows",
    "Passage": "searcher",
    "Searcher": "searcher",
    "VectorIndex": "index",
    "build_index": "index",
    "cosines": "exact",
    "find_row": "rows",
    "largest": "exact",
    "matching_uris": "where",
    "nearest": "exact",
    "neighbors": "rows",
    "search": "answer",
}
__all__ = [
    "Answer",
    "ExactIndex",
    "Neighbor",
    "Passage",
    "Searcher",
    "VectorIndex",
    "build_index",
    "cosines",
    "find_row",
    "largest",
    "matching_uris",
    "nearest",
    "neighbors",
    "search",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _WHERE:
        raise AttributeError(f"module 'visfeat.search' has no attribute {name!r}")
    return getattr(importlib.import_module(f"visfeat.search.{_WHERE[name]}"), name)
