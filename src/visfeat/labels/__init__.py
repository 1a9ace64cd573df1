"""Labels of a store's items: read from a table or from folder names, matched to items, and laid on rows.

``read_labels(source, store)`` gives the ``Labels``; ``label_rows(reader, labels)`` says which rows have which class.
"""

from __future__ import annotations

from visfeat.labels.matching import ItemLabel, Labels, Unmatched, read_labels
from visfeat.labels.rows import LabeledRows, label_rows

__all__ = ["ItemLabel", "LabeledRows", "Labels", "Unmatched", "label_rows", "read_labels"]
