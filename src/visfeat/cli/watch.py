"""``visfeat watch``: what is unlike the known, or like an example, while it happens."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from visfeat.cli.live import end_on_terminate
from visfeat.cli.parsing import duration_s, moment_s

if TYPE_CHECKING:
    from visfeat.streaming.watch import Watched

WITH_FAILURES = 3
WHAT, TELL = "What is looked for", "Whom it is told"


def watch(
    source: Annotated[str, Argument(help="-, rtsp://..., /dev/video0, or a video file.")],
    against: Annotated[Path, Option("--against", "-a", help="The store that knows what is usual.")],
    recipe: Annotated[str | None, Option("--recipe", "-r", help="Of the store: a name or digest.")] = None,
    model: Annotated[str | None, Option("--model", "-m", help="Of the store, where it holds several.")] = None,
    layer: Annotated[str | None, Option("--layer", "-l", help="Of the store, where it holds several.")] = None,
    like: Annotated[Path | None, Option(help="What is like this picture.", rich_help_panel=WHAT)] = None,
    item: Annotated[str | None, Option(help="What is like this item of the store.", rich_help_panel=WHAT)] = None,
    at: Annotated[str | None, Option(help="Of a video --item: which moment, 12s.", rich_help_panel=WHAT)] = None,
    threshold: Annotated[
        float | None, Option(help="Cosine that counts.", show_default="from the store", rich_help_panel=WHAT)
    ] = None,
    hold: Annotated[str, Option(help="An event goes on over calm moments this long.", rich_help_panel=WHAT)] = "3s",
    every: Annotated[str | None, Option(help="A moment every 0.5s, 2min, ...", show_default="the store's")] = None,
    live_s: Annotated[str | None, Option("--for", help="Stop after 10s, 2min, ...")] = None,
    max_frames: Annotated[int | None, Option(help="Stop after N frames.")] = None,
    top: Annotated[int, Option(min=0, help="Name the N nearest known rows.", rich_help_panel=TELL)] = 1,
    command: Annotated[
        str | None, Option(help="Run 'CMD {time_s} {score}' when an event begins.", rich_help_panel=TELL)
    ] = None,
    webhook: Annotated[
        str | None, Option(help="Post beginning and end as JSON to this URL.", rich_help_panel=TELL)
    ] = None,
    json_: Annotated[bool, Option("--json", help="Print a JSON object a line, and nothing else.")] = False,
) -> None:
    """Watch a camera, a pipe or a file, and tell what is unlike all that a store knows, or like an example.

    Exit code 0: it ended, was bounded or stopped; 3: it broke off, or moments were dropped.
    """
    from visfeat.streaming.watch import watch as watch_source

    end_on_terminate()
    watched = watch_source(
        source,
        against,
        model=model,
        layer=layer,
        recipe=recipe,
        like=like,
        item=item,
        at_s=None if at is None else float(moment_s(at, option="--at")),
        threshold=threshold,
        hold_s=float(moment_s(hold, option="--hold")),
        top=top,
        every_s=None if every is None else duration_s(every, option="--every"),
        live_s=None if live_s is None else duration_s(live_s, option="--for"),
        max_frames=max_frames,
        command=command,
        webhook=webhook,
        on_event=_print_json if json_ else _print_line,
        report=_reporter(),
    )
    if not json_:
        print(_summary(watched), file=sys.stderr)
    raise typer.Exit(WITH_FAILURES if watched.problem or watched.dropped else 0)


def _reporter() -> Callable[[str], None]:
    return lambda line: print(f"visfeat: {line}", file=sys.stderr, flush=True)


def _print_json(document: Mapping[str, Any]) -> None:
    print(json.dumps(document), flush=True)


def _print_line(document: Mapping[str, Any]) -> None:
    """One line when an event begins, one when it has ended."""
    if document["phase"] == "begin":
        text = f"{document['start_s']:.1f} s  {document['looks_for']}  score {document['score']:.3f}"
        near = ", ".join(_named(one) for one in document["nearest"])
        print(f"{text}  nearest {near}" if near else text, flush=True)
        return
    span = f"{document['start_s']:.1f} to {document['end_s']:.1f} s"
    print(f"{span}  over  score {document['score']:.3f} at {document['time_s']:.1f} s", flush=True)


def _named(one: Mapping[str, Any]) -> str:
    moment = "" if one["start_s"] is None else f"#t={one['start_s']:g}"
    return f"{one['uri']}{moment} {one['score']:.3f}"


def _summary(watched: Watched) -> str:
    moments, events = _counted(watched.moments, "moment"), _counted(watched.events, "event")
    lines = [f"{watched.source}: {moments}, {events} ({watched.looks_for})"]
    if watched.dropped:
        lines.append(f"{_counted(watched.dropped, 'moment')} dropped: the network was slower than the source")
    if watched.problem:
        lines.append(watched.problem)
    return "; ".join(lines)


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
