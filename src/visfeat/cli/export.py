"""``visfeat export``: a store's features in other people's formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def export(
    store: Annotated[Path, Argument(help="The store's folder.")],
    out: Annotated[Path, Argument(help="The folder to write to.")],
    to: Annotated[str, Option(help="The format: parquet, npy, csv, per_video.")] = "parquet",
    model: Annotated[str | None, Option("--model", "-m", help="Only this model's features.")] = None,
    layer: Annotated[str | None, Option("--layer", "-l", help="Only this layer's features.")] = None,
    recipe: Annotated[str | None, Option("--recipe", "-r", help="Only this recipe: its name or digest.")] = None,
) -> None:
    """Export features: Parquet, npy with names or one a video, a CSV of the metadata; by default all of them."""
    from visfeat.plugins import plugin
    from visfeat.store import open_store

    exporter = plugin("visfeat.exporters", to).load()()
    for path in exporter.export(open_store(store), out, model=model, layer=layer, recipe=recipe):
        print(path)
