"""Tables in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

_NO_FOLD = 100_000

if TYPE_CHECKING:
    from visfeat.extraction.run import Run


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Print rows under a header; numbers stand right, None is empty, long cells are folded."""
    rows = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(columns):
        is_number = all(isinstance(row[index], int | float) for row in rows) and bool(rows)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        # Text, not str: square brackets in a file name are no markup.
        table.add_row(*(Text("" if cell is None else _shown(cell)) for cell in row))
    _console().print(table)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print names and values, a line each."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, Text("" if value is None else _shown(value)))
    _console().print(table)


def print_run(run: Run) -> None:
    """The summary of an extraction."""
    facts: list[tuple[str, object]] = [("store", run.store), ("recipe", f"{run.recipe.title} ({run.recipe.digest})")]
    facts += [(name, number) for name, number in run.items.items() if number or name == "done"]
    facts += [("rows", run.rows), ("seconds", f"{run.elapsed_s:.1f}")]
    print_facts(facts)
    if not run.dry and (run.items["failed"] or run.items["partial"]):
        _console().print(Text(f"visfeat failures {run.store} says what went wrong"))


def _console() -> Console:
    """Folds at the terminal's width; what goes into a pipe or a file is never folded."""
    return Console() if sys.stdout.isatty() else Console(width=_NO_FOLD)


def indented(values: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Nested values as names and words for ``print_facts``: what is inside a mapping, or a list of them, is indented.

    >>> list(indented({"a": 1, "b": {"c": [2, 3]}, "d": [{"name": "x", "rows": 4}]}))
    [('a', 1), ('b', None), ('  c', '2, 3'), ('d', None), ('  x', 'rows 4')]
    """
    for name, value in values.items():
        inner: list[tuple[str, object]] = []
        if isinstance(value, dict):
            inner = [(str(key), _words(one)) for key, one in value.items()]
        elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
            for one in value:
                (_, first), *rest = one.items()
                inner.append((str(first), _words(dict(rest))))
        yield (name, None) if inner else (name, _words(value))
        for key, words in inner:
            yield f"  {key}", words


def _words(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(str(_words(inner)) for inner in value)
    return value


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
