"""Carrying out a plan: every action is checked first, nothing is overwritten or deleted, and moves can be undone."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from visfeat.dedupe.plan import Action, folder_of, read_plan


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action; ``problem`` says why it was left out, None where nothing spoke against it."""

    action: Action
    problem: str | None


def apply(plan: Path, *, really: bool = False, undo: bool = False) -> Iterator[Outcome]:
    """Check each action of a plan, and carry it out where that is asked for and nothing speaks against it.

    ``undo`` moves back what was moved and takes away the links that the plan made. An action whose file changed since
    the plan was made, whose kept file is gone, whose destination is taken or lies outside of the folder beside the
    plan is left out. Raises UsageError for a file that is no plan of links or moves.
    """
    folder = folder_of(plan)
    for action in read_plan(plan):
        problem = _against_place(action, folder) or (_against_undoing(action) if undo else _against(action))
        if problem is None and really:
            try:
                _undo(action) if undo else _do(action)
            except OSError as error:
                problem = error.strerror or str(error)
        yield Outcome(action, problem)


def _against_place(action: Action, folder: Path) -> str | None:
    """A plan that was edited must not reach other places, be it by ``..`` or through a link."""
    lies_in = Path(os.path.realpath(action.destination.parent))
    return None if lies_in.is_relative_to(os.path.realpath(folder)) else f"the destination is not below {folder}"


def _against(action: Action) -> str | None:
    if not _is_as_planned(action.source, action):
        return "the file is gone or changed since the plan was made"
    if os.path.lexists(action.destination):
        return "the destination is taken"
    if action.action == "move" and not action.kept.is_file():
        return "the file that is kept in its stead is gone"
    if action.action == "move" and action.kept.samefile(action.source):
        return "it is the file that is kept"
    return None


def _against_undoing(action: Action) -> str | None:
    if action.action == "link":
        is_ours = action.destination.is_symlink() and os.readlink(action.destination) == str(action.source)
        return None if is_ours else "there is no such link"
    if not _is_as_planned(action.destination, action):
        return "what was moved is gone or changed since"
    return "its former place is taken" if os.path.lexists(action.source) else None


def _is_as_planned(path: Path, action: Action) -> bool:
    try:
        about = os.stat(path)
    except OSError:
        return False
    return (about.st_size, about.st_mtime_ns) == (action.size_bytes, action.mtime_ns)


def _do(action: Action) -> None:
    action.destination.parent.mkdir(parents=True, exist_ok=True)
    if action.action == "link":
        action.destination.symlink_to(action.source)
    else:
        _move(action.source, action.destination)


def _undo(action: Action) -> None:
    if action.action == "link":
        action.destination.unlink()
    else:
        action.source.parent.mkdir(parents=True, exist_ok=True)
        _move(action.destination, action.source)


def _move(source: Path, destination: Path) -> None:
    """Move a file that is not there yet; to another disk as a copy that is complete before the first one goes."""
    try:
        os.rename(source, destination)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        scratch = destination.with_name(f"{destination.name}.part")
        shutil.copy2(source, scratch)
        os.rename(scratch, destination)
        source.unlink()
