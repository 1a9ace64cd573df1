"""``visfeat map``: what a store holds, as a picture of points."""

from __future__ import annotations

import csv as csv_module
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from visfeat.errors import StoreError, UsageError

if TYPE_CHECKING:
    from visfeat.maps.points import ShownPoints
    from visfeat.maps.run import StoreMap

_COLUMNS = ("uri", "start_s", "x", "y")


def map(
    store: Annotated[Path, Argument(help="The store's folder.")] = Path("features.vf"),
    method: Annotated[str, Option(help="pca or pacmap.")] = "pca",
    html: Annotated[Path | None, Option(help="Write a page to move about in, with the pictures inside.")] = None,
    png: Annotated[Path | None, Option(help="Write a picture.")] = None,
    svg: Annotated[Path | None, Option(help="Write a picture that can be scaled.")] = None,
    csv: Annotated[Path | None, Option(help="Write uri, start_s, x and y of every row.")] = None,
    labels: Annotated[
        str | None, Option(help="Colors: a table of uri and label, or folders; without it folders where they are few.")
    ] = None,
    refit: Annotated[bool, Option("--refit", help="Make the map anew instead of placing new rows on it.")] = False,
    seed: Annotated[int, Option(help="The same seed gives the same map.")] = 0,
    recipe: Annotated[
        str | None, Option("--recipe", "-r", help="A recipe's name, or its digest or the beginning.")
    ] = None,
    layer: Annotated[str | None, Option(help="Which layer's features.")] = None,
    json_: Annotated[bool, Option("--json", help="Print a JSON list of points, and nothing else.")] = False,
) -> None:
    """Lay out all rows on a plane, alike ones near each other; the coordinates are kept in the store."""
    from visfeat.figure import checked_path
    from visfeat.maps.run import METHODS, map_store
    from visfeat.store import open_store

    for path, ending in ((html, ".html"), (png, ".png"), (svg, ".svg"), (csv, ".csv")):
        if path is not None:
            checked_path(path, (ending,))
    chosen = next((one for one in METHODS if one == method), None)
    if chosen is None:
        raise UsageError(f"--method {method}: there are {' and '.join(METHODS)}")
    opened = open_store(store)
    named = None
    if labels is not None:
        from visfeat.labels import read_labels

        read = read_labels(labels, opened)
        if (said := read.complaint()) is not None:
            print(f"visfeat: {said}", file=sys.stderr)
        named = read.by_uri
    found = map_store(opened, method=chosen, refit=refit, seed=seed, layer=layer, recipe=recipe)
    from visfeat.maps.points import shown_points

    points = shown_points(found, named)
    if json_:
        print(json.dumps([dict(zip(_COLUMNS, row, strict=True)) for row in _rows(points)]))
    else:
        print(_said(found, points))
    if csv is not None:
        _save_csv(points, csv)
    _draw(points, html, [path for path in (png, svg) if path is not None])


def _said(found: StoreMap, points: ShownPoints) -> str:
    if found.is_new:
        how = "made now and kept in the store"
    else:
        new = f"{found.added:,} new rows placed on it" if found.added else "nothing new"
        how = f"from the store, {new}; --refit makes it anew"
    return f"{points.title}: {how} ({points.subtitle})"


def _rows(points: ShownPoints) -> list[tuple[Any, ...]]:
    return [(*points.moment(index), round(float(x), 6), round(float(y), 6)) for index, (x, y) in enumerate(points.xy)]


def _save_csv(points: ShownPoints, path: Path) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv_module.writer(file, lineterminator="\n")
            writer.writerow(_COLUMNS)
            writer.writerows(_rows(points))
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from error
    print(path, file=sys.stderr)


def _draw(points: ShownPoints, html: Path | None, pictures: list[Path]) -> None:
    if html is not None:
        from visfeat.maps.page import save_page

        print(save_page(points, html), file=sys.stderr)
    for path in pictures:
        from visfeat.maps.picture import save_picture

        print(save_picture(points, path), file=sys.stderr)
