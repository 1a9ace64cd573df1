"""``visfeat shots``: where videos are cut."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from visfeat.errors import UsageError

WITH_FAILURES = 3


def shots(
    videos: Annotated[list[str], Argument(help="Files, folders, globs.")],
    threshold: Annotated[float, Option(help="Least probability of a cut.")] = 0.5,
    stream: Annotated[int | None, Option(help="Which video stream, from 0.")] = None,
    store: Annotated[Path | None, Option("--store", "-s", help="Record the shots in this store.")] = None,
    json_: Annotated[bool, Option("--json", help="Print a JSON list, and nothing else.")] = False,
    csv: Annotated[bool, Option("--csv", help="Print CSV.")] = False,
    edl: Annotated[bool, Option("--edl", help="Print an edit decision list (CMX 3600).")] = False,
    otio: Annotated[bool, Option("--otio", help="Print an OpenTimelineIO timeline.")] = False,
) -> None:
    """Find cuts and dissolves: a table of shots, each from its first frame up to the next shot's first.

    Exit code 0: all done; 3: done, but some files could not be read or written.
    """
    from visfeat.cli.tables import print_table
    from visfeat.shots import formats
    from visfeat.shots.run import Failure, find_shots

    chosen = [name for name, given in {"json": json_, "csv": csv, "edl": edl, "otio": otio}.items() if given]
    if len(chosen) > 1:
        raise UsageError(f"--{chosen[0]} and --{chosen[1]}: choose one format")
    results = list(find_shots(videos, threshold=threshold, stream=stream, store=store))
    failures = [found for found in results if isinstance(found, Failure)]
    if chosen:
        print(formats.FORMATS[chosen[0]](results))
    else:
        rows = formats.rows(results)
        print_table(formats.COLUMNS, [[row[name] for name in formats.COLUMNS] for row in rows])
    for failure in failures:
        print(f"visfeat: {failure.uri}: {failure.reason}", file=sys.stderr)
    raise typer.Exit(WITH_FAILURES if failures else 0)
