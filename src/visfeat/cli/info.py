"""``visfeat info``: what a store holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

_COLUMNS = ("recipe", "name or model", "sampling", "then pooled", "layers", "rows")


def info(
    store: Annotated[Path, Argument(help="The store's folder.")] = Path("features.vf"),
    items: Annotated[bool, Option("--items", help="List the items instead.")] = False,
    status: Annotated[str | None, Option(help="Only items that are done, partial, failed or ignored.")] = None,
    json_: Annotated[bool, Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Show what a store holds: items, recipes, rows, size; with --items, every item."""
    from visfeat.cli.tables import indented, print_facts, print_table
    from visfeat.errors import UsageError
    from visfeat.store import open_store
    from visfeat.store.records import Status

    opened = open_store(store)
    if status is not None and status not in list(Status):
        raise UsageError(f"--status {status}: there are {', '.join(Status)}")
    if items or status is not None:
        rows = opened.items(status=status).to_pylist()
        if json_:
            print(json.dumps(rows))
            return
        columns = ("uri", "kind", "format", "size_bytes", "width", "height", "duration_s", "status", "reason")
        print_table(columns, [[row[name] for name in columns] for row in rows])
        return
    about = opened.info()
    if json_:
        print(json.dumps(about))
        return
    print_facts(indented({name: value for name, value in about.items() if name != "recipes"}))
    if len(about["recipes"]) > 1:
        print()
        print_table(_COLUMNS, [_line(recipe) for recipe in about["recipes"]])
    for recipe in about["recipes"]:
        print()
        print_facts(indented(recipe))


def _line(recipe: dict[str, Any]) -> tuple[object, ...]:
    """A recipe in the table of several: what its rows are, and how many there are."""
    options = recipe["options"]
    over = options.get("segments") and f"of {options['segments']}"
    words = [options.get(name) for name in ("temporal", "temporal_model", "temporal_rows")]
    pooled = " ".join(word for word in (*words, over) if word)
    layers = ", ".join(one["layer"] for one in recipe["layers"])
    return (recipe["digest"], recipe["name"] or recipe["model"], options["sampling"], pooled, layers, _rows(recipe))


def _rows(recipe: dict[str, Any]) -> int:
    """All layers have the same."""
    return max((int(one["rows"]) for one in recipe["layers"]), default=0)
