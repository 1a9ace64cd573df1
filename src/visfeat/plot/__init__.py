"""Pictures of a video as a whole: its timeline, and its self-similarity. Needs the extra ``plot``."""

from __future__ import annotations

from visfeat.figure import save
from visfeat.plot.selfsim_figure import selfsim
from visfeat.plot.timeline_figure import timeline

__all__ = ["save", "selfsim", "timeline"]
