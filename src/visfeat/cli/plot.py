"""``visfeat plot``: pictures of a video as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

plot_app = typer.Typer(help="Pictures of a video: its timeline, its self-similarity.", no_args_is_help=True)

Video = Annotated[Path, Argument(help="A video file.")]
Store = Annotated[Path | None, Option("--store", "-s", help="Take shots and features from here where it has them.")]
Recipe = Annotated[
    str | None, Option("--recipe", "-r", help="A recipe file, or the name or digest of a recipe of the store.")
]
Layer = Annotated[str | None, Option(help="Which layer's features.")]


@plot_app.command()
def timeline(
    video: Video,
    store: Store = None,
    recipe: Recipe = None,
    layer: Layer = None,
    query: Annotated[
        str | None, Option("--query", "-q", help="An image file, or a moment of the video such as 12.5s.")
    ] = None,
    out: Annotated[Path | None, Option("-o", "--out", help="A .png or .svg file; VIDEO_timeline.png here.")] = None,
) -> None:
    """Draw shots with pictures, motion, and the similarity to a query over time."""
    from visfeat.figure import checked_path, save
    from visfeat.plot import timeline_figure

    target = checked_path(out or f"{video.stem}_timeline.png")
    print(save(timeline_figure.timeline(video, store=store, recipe=recipe, layer=layer, query=query), target))


@plot_app.command()
def selfsim(
    video: Video,
    store: Store = None,
    recipe: Recipe = None,
    layer: Layer = None,
    out: Annotated[Path | None, Option("-o", "--out", help="A .png or .svg file; VIDEO_selfsim.png here.")] = None,
) -> None:
    """Draw how like each moment of a video is to each other one."""
    from visfeat.figure import checked_path, save
    from visfeat.plot import selfsim_figure

    target = checked_path(out or f"{video.stem}_selfsim.png")
    print(save(selfsim_figure.selfsim(video, store=store, recipe=recipe, layer=layer), target))
