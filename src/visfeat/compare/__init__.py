"""How good the features of each recipe are, measured on labeled items, and how alike two recipes see them.

``task`` says which items, which classes and who trains; ``items`` reads one vector an item; ``knn``, ``probe``,
``retrieval`` and ``clustering`` measure; ``similarity`` compares two recipes; ``leaderboard`` is what comes out.
``docs/compare.md`` defines every number.
"""

from __future__ import annotations

from visfeat.compare.leaderboard import Entry, Leaderboard
from visfeat.compare.run import compare

__all__ = ["Entry", "Leaderboard", "compare"]
