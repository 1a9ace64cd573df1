"""``visfeat audit``: what is wrong, doubtful or leaking in a collection."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from visfeat.errors import UsageError

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore

_SHOWN = 10


def audit(
    store: Annotated[Path, Argument(help="The store's folder.")] = Path("features.vf"),
    labels: Annotated[
        str | None, Option(help="A table of uri and label, or folders: which labels are doubtful.")
    ] = None,
    split: Annotated[
        str | None, Option(help="What leaks: a table of uri and split, a column of the --labels table, or folders.")
    ] = None,
    threshold: Annotated[
        float | None, Option(help="From which cosine on two items are nearly the same; as dedupe's otherwise.")
    ] = None,
    recipe: Annotated[
        str | None, Option("--recipe", "-r", help="A recipe's name, or its digest or the beginning.")
    ] = None,
    layer: Annotated[str | None, Option(help="Which layer's features.")] = None,
    out: Annotated[Path | None, Option("--out", "-o", help="Write the report: NAME.html or NAME.json.")] = None,
    json_: Annotated[bool, Option("--json", help="Print all of it as JSON, and nothing else.")] = False,
) -> None:
    """Find blurred, dark, empty and odd pictures, outliers, leaks between splits, and doubtful labels."""
    from visfeat.audit import MEANINGS, Limits
    from visfeat.audit import audit as audit_store
    from visfeat.audit.report import TITLES, as_json, save_report
    from visfeat.cli.tables import print_table
    from visfeat.figure import checked_path
    from visfeat.labels import read_labels
    from visfeat.store import open_store

    if out is not None:
        checked_path(out, (".html", ".json"))
    if threshold is not None and not 0 < threshold <= 1:
        raise UsageError(f"--threshold {threshold:g}: a cosine more than 0, at most 1")
    opened = open_store(store)
    named = None if labels is None else read_labels(labels, opened)
    if named is not None and (said := named.complaint()) is not None:
        print(f"visfeat: {said}", file=sys.stderr)
    splits = _splits(opened, labels, split)
    if splits is None and named is not None and named.splits:
        splits = {one.uri: str(one.split) for one in named.entries if one.split is not None}
    found = audit_store(
        opened,
        labels=None if named is None else named.by_uri,
        splits=splits,
        limits=Limits(leak=threshold),
        recipe=recipe,
        layer=layer,
    )
    if json_:
        print(json.dumps(as_json(found)))
    else:
        rows = [(TITLES[what], len(found.of(what)), meaning) for what, meaning in MEANINGS.items()]
        print_table(("what", "found", "meaning"), rows)
        shown = [one for what in MEANINGS for one in found.of(what)[:_SHOWN]]
        print()
        lines = [(one.what, one.score, one.threshold, one.uri, one.other or one.note) for one in shown]
        print_table(("what", "score", "threshold", "uri", "note"), lines)
        for note in found.notes:
            print(note)
    if out is not None:
        print(save_report(found, out, title=f"Audit of {store.name}"), file=sys.stderr)


def _splits(store: FeatureStore, labels: str | None, split: str | None) -> dict[str, str] | None:
    """URI -> split, as --split says it: folders called train, val and test, a table, or a column of the labels."""
    from visfeat.audit.splits import folder_splits
    from visfeat.labels import read_labels

    if split is None:
        return None
    if split == "folders":
        return folder_splits(store)
    if Path(split).is_file():
        return read_labels(split, store, column="split").by_uri
    if labels is None or labels == "folders":
        raise UsageError(f"--split {split}: no such file; a column needs --labels TABLE; folders takes their names")
    return read_labels(labels, store, column=split).by_uri
