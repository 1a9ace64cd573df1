"""The progress bar of an extraction: items, frames, rate, time left, failures so far."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from visfeat.extraction.pipeline import Progress

Callbacks = tuple[Callable[["Progress"], None], Callable[[str], None]]


@contextmanager
def bar() -> Iterator[Callbacks]:
    """A bar on stderr; remarks appear above it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[frames]} frames"),
        TextColumn("{task.fields[rate]:.0f}/s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]} failed"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task("extract", total=None, frames=0, rate=0.0, failed=0)

        def on_progress(progress: Progress) -> None:
            display.update(
                task,
                total=progress.total,
                completed=progress.finished,
                frames=progress.frames,
                rate=progress.frames / max(progress.elapsed_s, 1e-9),
                failed=progress.failed,
            )

        yield on_progress, display.console.print


@contextmanager
def no_bar(*, quiet: bool) -> Iterator[Callbacks]:
    """No bar; remarks go to stderr a line each, or nowhere."""

    def report(line: str) -> None:
        if not quiet:
            print(f"visfeat: {line}", file=sys.stderr)

    yield lambda _: None, report
