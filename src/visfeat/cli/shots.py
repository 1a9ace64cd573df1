"""``visfeat shots``: where videos are cut."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from visfeat.errors import MediaError, UsageError

if TYPE_CHECKING:
    from visfeat.shots.detect import VideoShots
    from visfeat.shots.run import Failure

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
    html: Annotated[Path | None, Option(help="Write a page with a picture of every shot.")] = None,
    split: Annotated[Path | None, Option(help="Write every shot as a file into this folder.")] = None,
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
    if chosen:
        print(formats.FORMATS[chosen[0]](results))
    else:
        rows = formats.rows(results)
        print_table(formats.COLUMNS, [[row[name] for name in formats.COLUMNS] for row in rows])
    found = [one for one in results if not isinstance(one, Failure)]
    failures = [one for one in results if isinstance(one, Failure)]
    if html is not None:
        from visfeat.shots.sheet import save_sheet

        save_sheet(html, found, stream=stream)
    if split is not None:
        failures += _split(found, split, stream)
    for failure in failures:
        print(f"visfeat: {failure.uri}: {failure.reason}", file=sys.stderr)
    raise typer.Exit(WITH_FAILURES if failures else 0)


def _split(videos: list[VideoShots], folder: Path, stream: int | None) -> list[Failure]:
    """Write the files and say on stderr which were copied; returns what could not be written."""
    from visfeat.shots.run import Failure
    from visfeat.shots.split import split_shots

    failures, names = [], Counter[str]()
    sources = [found.item.path for found in videos]
    for found in videos:
        stem = Path(found.item.path).stem
        names[stem] += 1
        # Videos of one name in several folders.
        name = stem if names[stem] == 1 else f"{stem}~{names[stem]}"
        try:
            for one in split_shots(found, folder, name=name, stream=stream, keep=sources):
                print(f"visfeat: {one.path}: {one.how}", file=sys.stderr)
        except MediaError as error:
            failures.append(Failure(found.item.uri, str(error)))
    return failures
