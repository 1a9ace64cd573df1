"""``visfeat index``: an index over a store's rows, so that large stores are searched fast."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def index(
    store: Annotated[Path, Argument(help="The store's folder.")] = Path("features.vf"),
    recipe: Annotated[str | None, Option("--recipe", "-r", help="Of the store: a name or digest.")] = None,
    model: Annotated[str | None, Option("--model", "-m", help="Of the store, where it holds several.")] = None,
    layer: Annotated[str | None, Option("--layer", "-l", help="Of the store, where it holds several.")] = None,
    drop: Annotated[bool, Option("--drop", help="Remove the index instead.")] = False,
) -> None:
    """Build an index over the rows of one recipe and layer, or bring it up to date.

    Worth it from some 100,000 rows on. What is extracted later is found without, and faster after another run.
    """
    from visfeat.cli.tables import print_facts
    from visfeat.search.stored_index import build_stored_index, drop_stored_index
    from visfeat.store import open_store

    opened = open_store(store)
    if drop:
        gone = drop_stored_index(opened, model=model, layer=layer, recipe=recipe)
        print("the index is removed" if gone else "there was no index")
        return
    built = build_stored_index(opened, model=model, layer=layer, recipe=recipe, report=_say)
    print_facts(
        [
            ("index", built.path),
            ("rows", built.rows),
            ("recall@10", f"{built.recall:.3f} on rows of its own, looking into {built.probes} lists"),
            ("size_bytes", built.size_bytes),
            ("seconds", f"{built.seconds:.1f}"),
        ]
    )


def _say(line: str) -> None:
    print(f"visfeat: {line}", file=sys.stderr, flush=True)
