"""``visfeat dedupe``: what a store holds more than once, and ``visfeat apply``: a plan carried out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from visfeat.cli.parsing import duration_s
from visfeat.errors import UsageError

if TYPE_CHECKING:
    from visfeat.dedupe.found import Duplicates
    from visfeat.dedupe.thresholds import Threshold

WITH_FAILURES = 3


def dedupe(
    store: Annotated[Path, Argument(help="The store's folder.")],
    against: Annotated[
        Path | None, Option("--against", "-a", help="A store that is known: find what of it is here again.")
    ] = None,
    threshold: Annotated[
        str | None, Option("--threshold", "-t", help="A cosine, or auto.", show_default="as measured for the model")
    ] = None,
    keep: Annotated[str, Option(help="largest, oldest or sharpest.")] = "largest",
    mirrored: Annotated[bool, Option("--mirrored", help="Also what is the same in a mirror.")] = False,
    shortest: Annotated[str, Option(help="Passages of videos last at least so long.")] = "2s",
    recipe: Annotated[str | None, Option("--recipe", "-r", help="Of the store: a name or digest.")] = None,
    model: Annotated[str | None, Option("--model", "-m", help="Of the store, where it holds several.")] = None,
    layer: Annotated[str | None, Option("--layer", "-l", help="Of the store, where it holds several.")] = None,
    plan: Annotated[
        tuple[str, Path] | None,
        Option(help="Write a plan: list, links or moves, and a file that is not there yet.", metavar="KIND FILE"),
    ] = None,
    html: Annotated[Path | None, Option(help="Write a page with the pictures of each group.")] = None,
    csv: Annotated[Path | None, Option(help="Write a table; - is standard output.")] = None,
    json_: Annotated[bool, Option("--json", help="Print a list of groups, and nothing else.")] = False,
) -> None:
    """Find pictures that show the same, and passages that videos have in common. Nothing is deleted.

    Best on rows made with visfeat extract --preset visfeat/copies (copies+mirrored for --mirrored).
    """
    from visfeat.dedupe.plan import write_plan
    from visfeat.dedupe.run import dedupe as find
    from visfeat.store import open_store

    found = find(
        open_store(store),
        against=None if against is None else open_store(against),
        threshold=_threshold(threshold),
        keep=keep,  # type: ignore[arg-type]
        mirrored=mirrored,
        shortest_s=float(duration_s(shortest, option="--shortest")),
        recipe=recipe,
        model=model,
        layer=layer,
        report=_report,
    )
    if plan is not None:
        lines = write_plan(found, plan[0], plan[1])  # type: ignore[arg-type]
        _report(f"{plan[1]}: {lines} lines; nothing was done yet")
    _write(found, html, csv)
    if json_:
        print(json.dumps(found.to_json()))
    elif csv is None or str(csv) != "-":
        _print(found)


def apply(
    plan: Annotated[Path, Argument(help="A plan of links or moves that visfeat dedupe wrote.")],
    yes: Annotated[bool, Option("--yes", help="Do it; else each action is only checked.")] = False,
    undo: Annotated[bool, Option("--undo", help="Move back what was moved, take away links.")] = False,
) -> None:
    """Carry out a plan of visfeat dedupe: each action is checked, nothing is deleted or overwritten.

    Exit code 0: all could be done; 3: some were left out, and why is told.
    """
    from visfeat.dedupe.apply import apply as carry_out

    done = left_out = 0
    for outcome in carry_out(plan, really=yes, undo=undo):
        action = outcome.action
        ends = (action.destination, action.source) if undo else (action.source, action.destination)
        if outcome.problem is None:
            done += 1
            print(f"{action.action}  {ends[0]}  ->  {ends[1]}")
        else:
            left_out += 1
            print(f"left out  {ends[0]}: {outcome.problem}")
    _report(f"{done} {'done' if yes else 'could be done (--yes does it)'}, {left_out} left out")
    raise typer.Exit(WITH_FAILURES if left_out else 0)


def _threshold(text: str | None) -> Threshold:
    if text is None or text == "auto":
        return text  # type: ignore[return-value]
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--threshold {text}: a cosine such as 0.9, or auto") from None


def _report(line: str) -> None:
    print(f"visfeat: {line}", file=sys.stderr)


def _write(found: Duplicates, html: Path | None, csv: Path | None) -> None:
    from visfeat.errors import StoreError

    if html is not None:
        from visfeat.dedupe.report import save_html

        _report(f"{save_html(found, html)}")
    if csv is None:
        return
    from visfeat.dedupe.report import write_csv

    if str(csv) == "-":
        write_csv(found, sys.stdout)
        return
    try:
        with csv.open("w", encoding="utf-8", newline="") as file:
            write_csv(found, file)
    except OSError as error:
        raise StoreError(f"{csv}: cannot be written ({error.strerror or error})") from error


def _print(found: Duplicates) -> None:
    from visfeat.cli.tables import print_table
    from visfeat.dedupe.report import COLUMNS, rows

    shown: list[list[Any]] = []
    for row in rows(found):
        said = dict(zip(COLUMNS, row, strict=True))
        shown.append(
            [
                said["group"],
                "keep" if said["keep"] else "",
                said["score"],
                said["start_s"],
                said["end_s"],
                said["uri"],
                "mirrored" if said["mirrored"] else "",
            ]
        )
    if shown:
        print_table(("group", "", "score", "start_s", "end_s", "uri", ""), shown)
    print(found.summary)
