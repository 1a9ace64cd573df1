"""``visfeat failures``: which files failed, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def failures(
    store: Annotated[Path, Argument(help="The store's folder.")] = Path("features.vf"),
    json_: Annotated[bool, Option("--json", help="Print a JSON list, and nothing else.")] = False,
) -> None:
    """List the files that failed or are partial, with the reason and the digest of the recipe."""
    from visfeat.cli.tables import print_table
    from visfeat.store import open_store

    rows = open_store(store).failures()
    if json_:
        print(json.dumps(rows))
    elif rows:
        columns = ("status", "reason", "uri", "recipe")
        print_table(columns, [[row[name] for name in columns] for row in rows])
    else:
        print("no failures")
