"""``visfeat summarize``: a video in short."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def summarize(
    video: Annotated[Path, Argument(help="A video file.")],
    number: Annotated[int, Option("-n", help="At most so many moments.")] = 12,
    seconds: Annotated[float, Option(help="How long the passage around each moment is in the film.")] = 2.0,
    png: Annotated[Path | None, Option(help="The contact sheet; VIDEO_summary.png here.")] = None,
    mp4: Annotated[Path | None, Option(help="The film; VIDEO_summary.mp4 here.")] = None,
    html: Annotated[Path | None, Option(help="Write the contact sheet as a page too.")] = None,
    store: Annotated[
        Path | None, Option("--store", "-s", help="Take shots and features from here where it has them.")
    ] = None,
    recipe: Annotated[
        str | None, Option("--recipe", "-r", help="A recipe file, or the name or digest of a recipe of the store.")
    ] = None,
    layer: Annotated[str | None, Option(help="Which layer's features.")] = None,
    json_: Annotated[
        bool, Option("--json", help="Print a JSON list of moments; files only where they are named.")
    ] = False,
) -> None:
    """Pick the key moments of a video: a contact sheet and a short film of them."""
    from visfeat.cli.tables import print_table
    from visfeat.figure import checked_path
    from visfeat.show.html_sheet import save_html_sheet
    from visfeat.show.section_sheet import save_section_sheet
    from visfeat.summary.film import save_film
    from visfeat.summary.run import sections
    from visfeat.summary.run import summarize as summarize_video

    if not json_ and html is None and png is None and mp4 is None:
        png, mp4 = Path(f"{video.stem}_summary.png"), Path(f"{video.stem}_summary.mp4")
    for path, ending in ((png, ".png"), (mp4, ".mp4"), (html, ".html")):
        if path is not None:
            checked_path(path, (ending,))
    found = summarize_video(video, most=number, passage_s=seconds, store=store, recipe=recipe, layer=layer)
    if json_:
        print(json.dumps([asdict(one) for one in found.moments]))
    else:
        columns = ("at_s", "start_s", "end_s", "share", "pieces")
        print_table(columns, [[getattr(one, name) for name in columns] for one in found.moments])
    title = f"{os.path.basename(found.item.path)} in short"
    shown = sections(found) if png is not None or html is not None else []
    if png is not None:
        print(save_section_sheet(png, shown, title=title, columns=4), file=sys.stderr)
    if html is not None:
        print(save_html_sheet(html, shown, title=title), file=sys.stderr)
    if mp4 is not None:
        print(save_film(found.item, found.moments, mp4), file=sys.stderr)
