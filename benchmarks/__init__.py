"""Measurements of visfeat beside other ways of doing the same; run them with ``make bench``."""
