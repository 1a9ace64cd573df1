"""``visfeat label``: what a store's items show, by the network's own classes or by texts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def label(
    store: Annotated[Path, Argument(help="The store's folder.")],
    texts: Annotated[
        str | None, Option(help="Texts to choose among, such as 'a cat,a dog'; needs a model with a text tower.")
    ] = None,
    template: Annotated[str, Option(help="What each text is put into: 'a photo of {}'.")] = "{}",
    model: Annotated[str | None, Option("--model", "-m", help="Whose features, where the store has several.")] = None,
    recipe: Annotated[str | None, Option("--recipe", "-r", help="Which recipe: its name or digest.")] = None,
    name: Annotated[
        str | None, Option(help="Under which the store keeps the labels.", show_default="the model, or texts")
    ] = None,
    top: Annotated[int, Option(help="How many of the likeliest classes are kept.")] = 5,
    dry_run: Annotated[bool, Option("--dry-run", help="Write nothing into the store.")] = False,
    csv: Annotated[Path | None, Option("--csv", help="Write them to this file, too.")] = None,
    json_: Annotated[bool, Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Label every item of a store, and the passages of its videos, without any labels of your own."""
    from visfeat.classify.naming import label_by_classes, label_by_texts
    from visfeat.cli.classify import print_predictions
    from visfeat.cli.parsing import words
    from visfeat.store import open_store

    opened = open_store(store)
    if texts is not None:
        found = label_by_texts(
            opened, words(texts) or (), template=template, model=model, recipe=recipe, name=name or "texts", top=top,
            keep=not dry_run,
        )  # fmt: skip
    else:
        found = label_by_classes(
            opened, model=model, recipe=recipe, name=name, top=top, keep=not dry_run,
            report=lambda line: print(f"visfeat: {line}", file=sys.stderr),
        )  # fmt: skip
    print_predictions(found, csv=csv, json_=json_)
