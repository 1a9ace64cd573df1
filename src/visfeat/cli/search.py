"""``visfeat search``: what in a store is like a picture, a moment, an item, a vector or a text."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from visfeat.cli.parsing import moment_s

if TYPE_CHECKING:
    from visfeat.search.searcher import Passage

ASKED, AMONG, SHOWN = "What is searched for; several are one question", "Among what", "How it is shown"
_COLUMNS = ("score", "time", "best", "file")


def search(
    store: Annotated[Path, Argument(help="The store's folder.")] = Path("features.vf"),
    image: Annotated[list[str] | None, Option("--image", "-i", help="A picture.", rich_help_panel=ASKED)] = None,
    video: Annotated[
        list[str] | None, Option(help="A video, with a moment as 'q.mp4#t=12.5'.", rich_help_panel=ASKED)
    ] = None,
    item: Annotated[
        list[str] | None, Option(help="An item of the store, also with '#t=12.5'.", rich_help_panel=ASKED)
    ] = None,
    at: Annotated[str | None, Option(help="Of a video --item: which moment, 12s.", rich_help_panel=ASKED)] = None,
    vector: Annotated[
        Path | None, Option(help="A .npy file of one vector, or of several.", rich_help_panel=ASKED)
    ] = None,
    text: Annotated[
        list[str] | None, Option(help="Words, where the model has a text tower.", rich_help_panel=ASKED)
    ] = None,
    unlike: Annotated[list[str] | None, Option("--not", help="But unlike this picture.", rich_help_panel=ASKED)] = None,
    k: Annotated[int, Option("-k", help="So many answers.")] = 20,
    where: Annotated[
        str | None, Option(help="Items: \"kind = 'video' and duration_s > 60\".", rich_help_panel=AMONG)
    ] = None,
    recipe: Annotated[
        str | None, Option("--recipe", "-r", help="Of the store: a name or digest.", rich_help_panel=AMONG)
    ] = None,
    model: Annotated[
        str | None, Option("--model", "-m", help="Of the store, where it holds several.", rich_help_panel=AMONG)
    ] = None,
    layer: Annotated[
        str | None, Option("--layer", "-l", help="Of the store, where it holds several.", rich_help_panel=AMONG)
    ] = None,
    exact: Annotated[bool, Option("--exact", help="Compare with all rows, whatever index there is.")] = False,
    index: Annotated[bool, Option("--index", help="First build an index, or bring it up to date.")] = False,
    check_recall: Annotated[
        bool, Option("--check-recall", help="Measure which share of the nearest rows the index finds.")
    ] = False,
    html: Annotated[Path | None, Option(help="Write a contact sheet, one file of HTML.", rich_help_panel=SHOWN)] = None,
    json_: Annotated[
        bool, Option("--json", help="Print a JSON list, and nothing else.", rich_help_panel=SHOWN)
    ] = False,
) -> None:
    """Show what in a store is most like a picture, a moment of a video, an item, a vector or a text.

    Neighboring moments of one video are one answer. Score: the cosine of its best row, 1 for equal directions.
    """
    from visfeat.search.answer import search as search_store
    from visfeat.store import open_store

    opened = open_store(store)
    chosen: dict[str, Any] = {"model": model, "layer": layer, "recipe": recipe}
    if index:
        from visfeat.search.stored_index import build_stored_index

        build_stored_index(opened, report=_say, **chosen)
    if check_recall:
        from visfeat.search.recall import check_recall as measure_recall

        measured = measure_recall(opened, report=_say, **chosen)
        if not any((image, video, item, vector, text, unlike)):
            print(json.dumps(asdict(measured)) if json_ else measured.summary)
            return
        _say(measured.summary)
    answer = search_store(
        opened,
        image=image,
        video=video,
        item=item,
        at_s=None if at is None else float(moment_s(at, option="--at")),
        vector=vector,
        text=text,
        unlike=unlike,
        k=k,
        where=where,
        exact=exact,
        report=_say,
        **chosen,
    )
    if html is not None:
        from visfeat.show.found_sheet import save_found_sheet

        save_found_sheet(html, answer)
        _say(f"as a page: {html}")
    _print(answer.passages, json_=json_)


def _print(passages: Sequence[Passage], *, json_: bool) -> None:
    from visfeat.cli.tables import print_table

    if json_:
        print(json.dumps([asdict(passage) for passage in passages]))
    elif passages:
        print_table(_COLUMNS, [(one.score, _span(one), _seconds(one.at_s), _short(one.uri)) for one in passages])
    else:
        print("nothing found")


def _span(passage: Passage) -> str:
    return "" if passage.start_s is None else f"{_seconds(passage.start_s)} to {_seconds(passage.end_s)}"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"


def _short(uri: str) -> str:
    """A path as one would type it here."""
    here = os.getcwd() + os.sep
    return uri.removeprefix(here)


def _say(line: str) -> None:
    print(f"visfeat: {line}", file=sys.stderr, flush=True)
