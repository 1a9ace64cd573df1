"""Classes from vectors: fitted on labels of a store, predicted for its items, judged on labels kept apart.

``fit`` learns a ``Classifier``, ``predict`` applies it to a store, ``report`` and ``cross_validate`` judge it.
``label_by_classes`` and ``label_by_texts`` name classes without labels. Names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visfeat.classify.classifier import Classifier
    from visfeat.classify.fitting import fit
    from visfeat.classify.naming import label_by_classes, label_by_texts
    from visfeat.classify.predicting import predict
    from visfeat.classify.reporting import cross_validate, report

__all__ = ["Classifier", "cross_validate", "fit", "label_by_classes", "label_by_texts", "predict", "report"]

_WHERE = {
    "Classifier": "classifier",
    "cross_validate": "reporting",
    "fit": "fitting",
    "label_by_classes": "naming",
    "label_by_texts": "naming",
    "predict": "predicting",
    "report": "reporting",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _WHERE:
        raise AttributeError(f"module 'visfeat.classify' has no attribute {name!r}")
    return getattr(importlib.import_module(f"visfeat.classify.{_WHERE[name]}"), name)
