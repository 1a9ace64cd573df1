"""A video in short: its key moments as pictures and as a film of their passages. Needs the extra ``use``."""

from __future__ import annotations

from visfeat.summary.moments import KeyMoment
from visfeat.summary.run import Summary, summarize

__all__ = ["KeyMoment", "Summary", "summarize"]
