"""``visfeat evaluate``: how well a trained run does on data that it has not seen."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

if TYPE_CHECKING:
    from visfeat.train.evaluate import Evaluation

SHOWN_MISTAKES = 5


def evaluate(
    run: Annotated[str, Argument(help="The run's folder.")],
    data: Annotated[
        list[str] | None,
        Argument(help="Labeled data as for train; the run's own test split otherwise.", show_default=False),
    ] = None,
    out: Annotated[Path | None, Option("--out", "-o", help="Write all of it to this file (JSON).")] = None,
    json_: Annotated[bool, Option("--json", help="Print all of it as JSON, and nothing else.")] = False,
) -> None:
    """Accuracy with its 95% interval, scores of each class, and the surest mistakes."""
    from visfeat.train.evaluate import evaluate as evaluate_run

    found = evaluate_run(run, tuple(data or ()), report=lambda line: print(f"visfeat: {line}", file=sys.stderr))
    if out is not None:
        out.write_text(json.dumps(found.to_json(), indent=1), "utf-8")
    if json_:
        print(json.dumps(found.to_json()))
    else:
        _print(found)


def _print(found: Evaluation) -> None:
    from visfeat.cli.tables import print_table

    where = "all of the data" if found.split == "all" else f"the {found.split} split"
    print(f"{found.run}: {where}, {found.files:,} files, {found.samples:,} samples")
    for name, interval in found.metrics.items():
        print(f"{name:10} {interval.value:.4f}  [{interval.low:.4f}, {interval.high:.4f}]")
    if found.of_class:
        rows = [
            [name, f"{one['precision']:.3f}", f"{one['recall']:.3f}", f"{one['f1']:.3f}", str(int(one["files"]))]
            for name, one in found.of_class.items()
        ]
        print_table(("class", "precision", "recall", "f1", "files"), rows)
    for one in found.mistakes[:SHOWN_MISTAKES]:
        print(f"{one.uri}: {one.label}, taken for {one.predicted} ({one.probability:.2f})")
