"""``visfeat evaluate``: how well a trained run does on data that it has not seen."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

if TYPE_CHECKING:
    from visfeat.train.evaluation import Evaluation

SHOWN_MISTAKES = 5


def evaluate(
    run: Annotated[str, Argument(help="The run's folder.")],
    data: Annotated[
        list[str] | None,
        Argument(help="Labeled data as for train; the run's own test split otherwise.", show_default=False),
    ] = None,
    out: Annotated[Path | None, Option("--out", "-o", help="Write it: NAME.html, .png, .svg, .json.")] = None,
    json_: Annotated[bool, Option("--json", help="Print all of it as JSON, and nothing else.")] = False,
) -> None:
    """Accuracy with its 95% interval, scores of each class, and the surest mistakes."""
    from visfeat.figure import checked_path
    from visfeat.show.evaluation_report import ENDINGS, save_evaluation
    from visfeat.train.evaluate import evaluate as evaluate_run

    if out is not None:
        checked_path(out, ENDINGS)
    found = evaluate_run(run, tuple(data or ()), report=lambda line: print(f"visfeat: {line}", file=sys.stderr))
    if out is not None:
        save_evaluation(found, out)
    if json_:
        print(json.dumps(found.to_json()))
    else:
        _print(found)


def _print(found: Evaluation) -> None:
    where = "all of the data" if found.split == "all" else f"the {found.split} split"
    print(f"{found.run}: {where}, {found.files:,} files, {found.samples:,} samples")
    for name, interval in found.metrics.items():
        print(f"{name:10} {interval.value:.4f}  [{interval.low:.4f}, {interval.high:.4f}]")
    for name, head in found.heads.items():
        print(f"\n{name}:")
        _print_classes(head)
    _print_classes(found)


def _print_classes(found: Evaluation) -> None:
    """Scores of each class, and the surest mistakes."""
    from visfeat.cli.tables import print_table

    if found.of_class:
        rows = [
            [name, f"{one['precision']:.3f}", f"{one['recall']:.3f}", f"{one['f1']:.3f}", str(int(one["files"]))]
            for name, one in found.of_class.items()
        ]
        print_table(("class", "precision", "recall", "f1", "files"), rows)
    for one in found.mistakes[:SHOWN_MISTAKES]:
        moment = "" if one.at_s is None else f"#t={one.at_s:g}"
        print(f"{one.uri}{moment}: {one.words}")
