"""The progress bars of an extraction, one a recipe: items, frames, rate, time left, failures so far."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from visfeat.extraction.progress import Progress

Callbacks = tuple[Callable[[Sequence["Progress"]], None], Callable[[str], None]]


@contextmanager
def bar() -> Iterator[Callbacks]:
    """A bar a recipe on stderr, named where there are several; remarks appear above them."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[frames]} frames"),
        TextColumn("{task.fields[rate]:.0f}/s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]} failed"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as display:
        tasks: dict[str, TaskID] = {}

        def on_progress(recipes: Sequence[Progress]) -> None:
            for progress in recipes:
                title = progress.title if len(recipes) > 1 else ""
                if title not in tasks:
                    tasks[title] = display.add_task(title, total=None, frames=0, rate=0.0, failed=0)
                show(tasks[title], progress)

        def show(task: TaskID, progress: Progress) -> None:
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
