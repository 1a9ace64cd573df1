"""Plans: what could be done about near-duplicates, written down for a person to check; nothing is done here.

``list``: the paths of what is not kept, one a line. ``links`` and ``moves``: a CSV with one action a line, which a
spreadsheet shows and in which lines may be deleted; ``visfeat.dedupe.apply`` carries it out. ``links`` makes a folder
of links in which each group stands together, to look through; ``moves`` moves what is not kept into a folder beside
the plan. No plan deletes or overwrites anything.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from visfeat.dedupe.found import Duplicates
from visfeat.errors import StoreError, UsageError
from visfeat.media.item import path_of

PlanKind = Literal["list", "links", "moves"]
COLUMNS = ("action", "source", "destination", "kept", "score", "size_bytes", "mtime_ns")


@dataclass(frozen=True, slots=True)
class Action:
    """One line of a plan: ``link`` makes a symbolic link at the destination, ``move`` moves the source there.

    ``kept`` is what stays in the source's stead; ``size_bytes`` and ``mtime_ns`` are the source's when the plan was
    made: of a file that changed since, nothing is known.
    """

    action: Literal["link", "move"]
    source: Path
    destination: Path
    kept: Path
    score: float
    size_bytes: int
    mtime_ns: int


def write_plan(found: Duplicates, kind: PlanKind, path: Path) -> int:
    """Write a plan; returns how many lines it has besides the header.

    Raises UsageError for another kind, for a file that is there already and for a path that a list cannot hold, and
    StoreError where the file cannot be written.
    """
    if kind not in get_args(PlanKind):
        raise UsageError(f"--plan {kind}: there are {', '.join(get_args(PlanKind))}")
    lines = list(_lines(found, kind, path))
    try:
        with path.open("x", encoding="utf-8", errors="surrogateescape", newline="") as file:
            if kind == "list":
                file.writelines(f"{line[0]}\n" for line in lines)
            else:
                csv.writer(file).writerows([COLUMNS, *lines])
    except FileExistsError:
        raise UsageError(f"--plan {path}: is there already; choose another name") from None
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from error
    return len(lines)


def _lines(found: Duplicates, kind: PlanKind, path: Path) -> Iterator[tuple[str, ...]]:
    if kind == "list":
        for uri, kept, _ in _of_files(found):
            source = path_of(uri)
            if _is_one_file(source, path_of(kept)):
                continue  # whoever deletes what is listed must not lose what a link leads to
            if "\n" in source:
                raise UsageError(f"--plan list: {source!r} holds a line break; use --plan moves")
            yield (source,)
        return
    actions = _links(found, folder_of(path)) if kind == "links" else _moves(found, folder_of(path))
    for one in actions:
        numbers = f"{one.score:.6f}", str(one.size_bytes), str(one.mtime_ns)
        yield one.action, str(one.source), str(one.destination), str(one.kept), *numbers


def _of_files(found: Duplicates) -> list[tuple[str, str, float]]:
    """What is not kept and is a file: of a camera's recording nothing can be moved or deleted."""
    return [one for one in found.superfluous if os.path.isabs(path_of(one[0]))]


def _is_one_file(one: str, other: str) -> bool:
    """Whether two names lead to one file, through links."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def folder_of(path: Path) -> Path:
    """The folder beside a plan that it fills: its name without the ending."""
    absolute = path.absolute()
    return absolute.with_suffix("") if absolute.suffix else absolute.with_name(f"{absolute.name}_files")


def _moves(found: Duplicates, folder: Path) -> Iterator[Action]:
    """What is not kept, under the folder with the path that it has below the folder common to all."""
    superfluous = _of_files(found)
    sources = [Path(path_of(uri)) for uri, _, _ in superfluous]
    base = _common(sources)
    for source, (_, kept, score) in zip(sources, superfluous, strict=True):
        yield _action("move", source, folder / source.relative_to(base), Path(path_of(kept)), score)


def _common(paths: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([path.parent for path in paths])) if paths else Path("/")


def _links(found: Duplicates, folder: Path) -> Iterator[Action]:
    """A folder a group or passage; names begin with a number, so that what is kept stands first."""
    shown = [[(one.uri, one.score, one.keep) for one in group.members] for group in found.groups]
    shown += [[(span.uri, one.score, span.keep) for span in one.spans] for one in found.passages]
    for number, members in enumerate(shown, start=1):
        kept = Path(path_of(members[0][0]))
        for place, (uri, score, keep) in enumerate(members, start=1):
            source = Path(path_of(uri))
            name = f"{place:03d}_{'keep' if keep else f'{score:.3f}'}_{source.name}"
            yield _action("link", source, folder / f"{number:05d}" / name, kept, score)


def _action(action: Literal["link", "move"], source: Path, destination: Path, kept: Path, score: float) -> Action:
    """A line with what the file is like now, -1 where it is gone."""
    try:
        about = os.stat(source)
    except OSError:
        return Action(action, source, destination, kept, score, -1, -1)
    return Action(action, source, destination, kept, score, about.st_size, about.st_mtime_ns)


def read_plan(path: Path) -> list[Action]:
    """The actions of a plan of links or moves; raises UsageError that names the line which is not one."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
                raise UsageError(f"{path}: no plan of links or moves, it has no column {missing[0]}")
            rows = list(reader)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from None
    except csv.Error as error:
        raise UsageError(f"{path}: no plan of links or moves ({error})") from None
    actions = []
    for number, row in enumerate(rows, start=2):
        try:
            actions.append(_read(row))
        except (KeyError, TypeError, ValueError):
            raise UsageError(f"{path}: line {number} is no action of a plan of links or moves") from None
    return actions


def _read(row: dict[str, str]) -> Action:
    actions: dict[str, Literal["link", "move"]] = {"link": "link", "move": "move"}
    return Action(
        action=actions[row["action"]],
        source=Path(row["source"]),
        destination=Path(row["destination"]),
        kept=Path(row["kept"]),
        score=float(row["score"]),
        size_bytes=int(row["size_bytes"]),
        mtime_ns=int(row["mtime_ns"]),
    )
