"""``visfeat compare``: which recipe's features are best on labeled items, and which are alike."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Argument, Option

if TYPE_CHECKING:
    from visfeat.compare import Entry, Leaderboard
    from visfeat.train.metrics import Interval


def compare(
    store: Annotated[Path, Argument(help="The store's folder.")],
    labels: Annotated[str, Option(help="A table of uri,label (perhaps split, group), a folder, or the word folders.")],
    recipes: Annotated[str | None, Option(help="Names, digests or models, with commas; all by default.")] = None,
    layer: Annotated[str | None, Option(help="Only this layer of each.")] = None,
    video: Annotated[Literal["mean", "middle"], Option(help="What stands for a video: mean or middle row.")] = "mean",
    test: Annotated[float, Option(help="Share of each class that is tested, where the labels say no split.")] = 0.25,
    seed: Annotated[int, Option(help="Of the split, the clusters and the resamples.")] = 0,
    neighbors: Annotated[int, Option(help="How many nearest neighbors vote.")] = 20,
    sort: Annotated[str, Option(help="The number that the best comes first by.")] = "knn_top1",
    png: Annotated[Path | None, Option(help="Draw it, as NAME.png or NAME.svg.")] = None,
    csv_: Annotated[bool, Option("--csv", help="Print CSV, and nothing else.")] = False,
    json_: Annotated[bool, Option("--json", help="Print a JSON list, and nothing else.")] = False,
) -> None:
    """Rank recipes on labeled items: neighbors, linear probe, retrieval, clusters; with intervals and similarity."""
    from visfeat.cli.parsing import words
    from visfeat.compare import compare as compare_recipes
    from visfeat.figure import checked_path
    from visfeat.labels import read_labels
    from visfeat.store import open_store

    if png is not None:
        checked_path(png)
    opened = open_store(store)
    opened.spaces()  # an empty store says so before its labels are looked for
    board = compare_recipes(
        opened,
        read_labels(labels, opened),
        recipes=words(recipes) or (),
        layer=layer,
        video=video,
        test=test,
        seed=seed,
        neighbors=neighbors,
        sort=sort,
        report=lambda line: print(f"visfeat: {line}", file=sys.stderr),
    )
    if png is not None:
        from visfeat.compare.leaderboard_figure import draw_leaderboard
        from visfeat.figure import save

        save(draw_leaderboard(board, title=store.name), png)
    if json_:
        print(json.dumps(board.to_json()))
    elif csv_:
        print(board.to_csv(), end="")
    else:
        _print(board)


def _print(board: Leaderboard) -> None:
    from visfeat.cli.tables import print_table

    print(f"{board.summary}; ± is half of the 95% interval")
    for note in board.notes:
        print(note)
    columns = ("", "recipe", "values", "bytes", "rows/s", *board.metrics)
    print_table(columns, [_row(number, entry, board.metrics) for number, entry in enumerate(board.entries, start=1)])
    if len(board.entries) > 1:
        print("\nabove the diagonal linear CKA (debiased), below it RSA")
        numbers = [str(number) for number in range(1, len(board.entries) + 1)]
        print_table(("", "recipe", *numbers), [_alike(number, board) for number in range(len(board.entries))])


def _row(number: int, entry: Entry, metrics: Sequence[str]) -> list[object]:
    speed = "" if entry.rows_per_s is None else f"{entry.rows_per_s:.1f}"
    numbers = [_with_interval(entry.metrics[name]) for name in metrics]
    return [number, entry.name, entry.dimension, entry.row_bytes, speed, *numbers]


def _with_interval(one: Interval) -> str:
    return f"{one.value:.3f} ±{(one.high - one.low) / 2:.3f}"


def _alike(row: int, board: Leaderboard) -> list[object]:
    entry = board.entries[row]
    cells = [
        "" if column == row else f"{(entry.cka_debiased if column > row else entry.rsa)[other.name]:.2f}"
        for column, other in enumerate(board.entries)
    ]
    return [row + 1, entry.name, *cells]
