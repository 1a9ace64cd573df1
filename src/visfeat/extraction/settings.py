"""How to run, apart from what the recipes say."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visfeat.decode.decoder import DEFAULT_MAX_PIXELS
from visfeat.errors import UsageError
from visfeat.extraction.progress import Progress
from visfeat.recipe import Recipe, run_options

DEFAULT_STORE = "features.vf"
SHOTS = "shots"
"""What stands among recipes for the table of shots."""

RecipeLike = Recipe | str | os.PathLike[str] | None


@dataclass(frozen=True)
class Settings:
    """``said`` holds store, max_pixels and threads where somebody said them."""

    said: Mapping[str, Any]
    redo: bool
    dry_run: bool
    on_progress: Callable[[Sequence[Progress]], None]
    report: Callable[[str], None]
    started_at: float = field(default_factory=time.monotonic)

    @property
    def store(self) -> Path:
        """The store's folder."""
        return Path(self.said.get("store", DEFAULT_STORE))

    @property
    def max_pixels(self) -> int:
        """Pictures that promise more are refused."""
        return int(self.said.get("max_pixels", DEFAULT_MAX_PIXELS))

    @property
    def threads(self) -> int | None:
        """How many threads compute, None for all cores."""
        return self.said.get("threads")


def said_by(recipes: Iterable[RecipeLike], given: Mapping[str, Any]) -> dict[str, Any]:
    """What the recipe files say of the run, and what was given instead; raises UsageError for what cannot be.

    Files that disagree cannot be, nor less than one thread or pixel.
    """
    said = {name: value for name, value in given.items() if value is not None}
    by_files: dict[str, Any] = {}
    for recipe in recipes:
        if recipe is None or isinstance(recipe, Recipe) or recipe == SHOTS:
            continue
        for name, value in run_options(recipe).items():
            if name not in said and by_files.setdefault(name, value) != value:
                option = name.replace("_", "-")
                raise UsageError(f"--{option}: the recipes say {by_files[name]} and {value}; say which it is")
    found = by_files | said
    for name in ("max_pixels", "threads"):
        if found.get(name, 1) < 1:
            raise UsageError(f"--{name.replace('_', '-')} {found[name]}: must be at least 1")
    return found
