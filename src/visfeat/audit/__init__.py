"""Audit: what is wrong, doubtful or leaking in a collection. Every finding says what, how much, and from where on."""

from __future__ import annotations

from visfeat.audit.finding import MEANINGS, Finding, What
from visfeat.audit.run import Audit, Limits, audit

__all__ = ["MEANINGS", "Audit", "Finding", "Limits", "What", "audit"]
