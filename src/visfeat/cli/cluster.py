"""``visfeat cluster``: what a store holds, in groups."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Argument, Option

from visfeat.errors import UsageError

if TYPE_CHECKING:
    from visfeat.cluster.run import Clustering


def cluster(
    store: Annotated[Path, Argument(help="The store's folder.")] = Path("features.vf"),
    method: Annotated[str, Option(help="kmeans or hdbscan.")] = "kmeans",
    k: Annotated[str, Option("-k", help="How many clusters kmeans makes, or auto: by the best silhouette.")] = "auto",
    min_size: Annotated[int, Option(help="The fewest rows that hdbscan calls a cluster.")] = 5,
    exemplars: Annotated[int, Option(help="At most so many rows show a cluster.")] = 6,
    seed: Annotated[int, Option(help="The same seed gives the same clusters.")] = 0,
    recipe: Annotated[
        str | None, Option("--recipe", "-r", help="A recipe's name, or its digest or the beginning.")
    ] = None,
    layer: Annotated[str | None, Option(help="Which layer's features.")] = None,
    csv: Annotated[Path | None, Option(help="Write uri, start_s, cluster and distance of every row.")] = None,
    html: Annotated[Path | None, Option(help="Write a page with the exemplars of every cluster.")] = None,
    png: Annotated[Path | None, Option(help="Write a picture with the exemplars of every cluster.")] = None,
    json_: Annotated[bool, Option("--json", help="Print a JSON list of clusters, and nothing else.")] = False,
) -> None:
    """Group images and moments that are alike: the clusters of a store with their exemplars."""
    from visfeat.cluster import tables
    from visfeat.cluster.run import METHODS
    from visfeat.cluster.run import cluster as cluster_store
    from visfeat.figure import checked_path
    from visfeat.store import open_store

    for path, ending in ((csv, ".csv"), (html, ".html"), (png, ".png")):
        if path is not None:
            checked_path(path, (ending,))
    chosen = next((one for one in METHODS if one == method), None)
    if chosen is None:
        raise UsageError(f"--method {method}: there are {' and '.join(METHODS)}")
    found = cluster_store(
        open_store(store),
        method=chosen,
        k=_number(k),
        min_size=min_size,
        most_exemplars=exemplars,
        seed=seed,
        layer=layer,
        recipe=recipe,
    )
    if json_:
        print(json.dumps(tables.as_json(found)))
    else:
        _print(found)
    if csv is not None:
        _said(tables.save_csv(found, csv))
    if html is not None or png is not None:
        _draw(found, html, png)


def _number(k: str) -> int | Literal["auto"]:
    if k == "auto":
        return "auto"
    if not k.lstrip("-").isdecimal():
        raise UsageError(f"-k {k}: a number of clusters, or auto")
    return int(k)


def _print(found: Clustering) -> None:
    from visfeat.cli.tables import print_table
    from visfeat.cluster import tables

    if found.silhouettes:
        scores = ", ".join(f"{k}: {score:.3f}" for k, score in found.silhouettes.items())
        print(f"mean silhouette by k: {scores}")
    print(tables.title_of(found))
    print_table(tables.COLUMNS, tables.table_rows(found))
    if found.fitted_rows < len(found.label):
        print(f"fitted on {found.fitted_rows:,} of {len(found.label):,} rows")


def _draw(found: Clustering, html: Path | None, png: Path | None) -> None:
    from visfeat.cluster import tables
    from visfeat.show.html_sheet import save_html_sheet
    from visfeat.show.section_sheet import save_section_sheet

    shown, title = tables.sections(found), tables.title_of(found)
    if html is not None:
        _said(save_html_sheet(html, shown, title=title))
    if png is not None:
        _said(save_section_sheet(png, shown, title=title))


def _said(path: Path) -> None:
    print(path, file=sys.stderr)
