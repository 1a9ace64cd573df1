"""visfeat: folders of images and videos become a store of feature vectors.

>>> import visfeat as vf
>>> run = vf.extract("photos", store="media.vf")          # doctest: +SKIP
>>> x, meta = vf.open_store("media.vf").features()        # doctest: +SKIP
>>> vf.Extractor("bundled/efficientnet_lite0")(["cat.jpg"])  # doctest: +SKIP

The names below are imported when they are first used, so that ``import visfeat`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visfeat.errors import VisfeatError
    from visfeat.extraction.extractor import Extractor
    from visfeat.extraction.run import Run, extract, extract_many
    from visfeat.frames import Features
    from visfeat.recipe import Recipe
    from visfeat.store import FeatureStore, open_store
    from visfeat.streaming.stream import Stream

__all__ = [
    "Extractor",
    "FeatureStore",
    "Features",
    "Recipe",
    "Run",
    "Stream",
    "VisfeatError",
    "extract",
    "extract_many",
    "open_store",
]

_WHERE = {
    "Extractor": "visfeat.extraction.extractor",
    "FeatureStore": "visfeat.store",
    "Features": "visfeat.frames",
    "Recipe": "visfeat.recipe",
    "Run": "visfeat.extraction.run",
    "Stream": "visfeat.streaming.stream",
    "VisfeatError": "visfeat.errors",
    "extract": "visfeat.extraction.run",
    "extract_many": "visfeat.extraction.run",
    "open_store": "visfeat.store",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("visfeat")
    if name not in _WHERE:
        raise AttributeError(f"module 'visfeat' has no attribute {name!r}")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
