"""``visfeat classify``: fit a classifier on labels of a store, predict with it, and say how well it does."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer import Argument, Option

from visfeat.errors import UsageError

if TYPE_CHECKING:
    from visfeat.classify.learners import Method
    from visfeat.classify.predicting import Prediction
    from visfeat.classify.reporting import ClassReport
    from visfeat.labels import Labels
    from visfeat.store import FeatureStore
    from visfeat.train.metrics import Interval

classify_app = typer.Typer(help="Fit a classifier on labels, predict with it, judge it.", no_args_is_help=True)

Store = Annotated[Path, Argument(help="The store's folder.")]
LabelSource = Annotated[
    str, Option("--labels", help="A CSV or Parquet of uri,label; the word folders; or a folder with one a class.")
]
Column = Annotated[str, Option(help="The table's column of labels.")]
MethodName = Annotated[str, Option("--method", help="linear (logistic regression) or knn.")]
Model = Annotated[str | None, Option("--model", "-m", help="Whose features, where the store has several.")]
Layer = Annotated[str | None, Option("--layer", "-l", help="Which layer's features.")]
Recipe = Annotated[str | None, Option("--recipe", "-r", help="Which recipe's features: its name or digest.")]
Seed = Annotated[int, Option(help="Of the folds.")]
Json = Annotated[bool, Option("--json", help="Print JSON, and nothing else.")]

_METHODS = ("linear", "knn")
_SHOWN = 40


@classify_app.command()
def fit(
    store: Store,
    labels: LabelSource,
    method: MethodName = "linear",
    out: Annotated[
        Path | None, Option("--out", "-o", help="The classifier's folder.", show_default="STORE-METHOD.classifier")
    ] = None,
    split: Annotated[str | None, Option(help="Learn from train, val, test or all; by default train, if any.")] = None,
    column: Column = "label",
    model: Model = None,
    layer: Layer = None,
    recipe: Recipe = None,
    seed: Seed = 0,
    json_: Json = False,
) -> None:
    """Learn classes from labels; the parameter is chosen, and the probabilities calibrated, by cross-validation."""
    from visfeat.classify.fitting import fit as fit_classifier
    from visfeat.store import open_store

    opened = open_store(store)
    known = _labels(labels, opened, column)
    target = out or Path(f"{store.expanduser().absolute().stem}-{_method(method)}.classifier")
    classifier = fit_classifier(
        opened, known, method=_method(method), split=split, model=model, layer=layer, recipe=recipe, seed=seed
    )
    folder, card = classifier.save(target), classifier.card
    if json_:
        print(json.dumps({"path": str(folder)} | card.model_dump(mode="json", exclude={"recipe"})))
        return
    parameter = f"C = {card.c:g}" if card.c is not None else f"k = {card.k}"
    print(f"{folder}: {card.method}, {len(card.classes)} classes, {card.items} items, {card.rows} rows; {parameter}")
    if card.held_out:
        print(
            f"held out in {card.folds} folds: top-1 {card.held_out['top1']:.4f}, log loss "
            f"{card.held_out['log_loss']:.4f} at temperature {card.temperature:.3g}"
        )
    for note in card.notes:
        print(f"visfeat: {note}", file=sys.stderr)


@classify_app.command()
def predict(
    store: Store,
    classifier: Annotated[Path, Option("--classifier", "-c", help="The classifier's folder.")],
    name: Annotated[
        str | None, Option(help="Under which the store keeps the labels.", show_default="the folder's name")
    ] = None,
    top: Annotated[int, Option(help="How many of the likeliest classes are kept.")] = 5,
    dry_run: Annotated[bool, Option("--dry-run", help="Write nothing into the store.")] = False,
    csv: Annotated[Path | None, Option("--csv", help="Write them to this file, too.")] = None,
    json_: Json = False,
) -> None:
    """Tell the class of every item of a store, and of the passages of its videos; the store keeps them."""
    from visfeat.classify.classifier import Classifier
    from visfeat.classify.predicting import predict as predict_items
    from visfeat.store import open_store

    loaded = Classifier.load(classifier)
    called = name or classifier.expanduser().absolute().name.removesuffix(".classifier")
    found = predict_items(open_store(store), loaded, name=called, top=top, keep=not dry_run)
    print_predictions(found, csv=csv, json_=json_)


@classify_app.command()
def report(
    store: Store,
    labels: LabelSource,
    classifier: Annotated[
        Path | None, Option("--classifier", "-c", help="Judge this one; otherwise cross-validate the method.")
    ] = None,
    split: Annotated[str | None, Option(help="Of a classifier: judge it on train, val, test or all.")] = None,
    method: MethodName = "linear",
    column: Column = "label",
    model: Model = None,
    layer: Layer = None,
    recipe: Recipe = None,
    seed: Seed = 0,
    json_: Json = False,
) -> None:
    """Say how well classes are told, each class with its 95% intervals."""
    from visfeat.classify.classifier import Classifier
    from visfeat.classify.reporting import cross_validate
    from visfeat.classify.reporting import report as judge
    from visfeat.store import open_store

    opened = open_store(store)
    known = _labels(labels, opened, column)
    if classifier is not None:
        found = judge(opened, known, Classifier.load(classifier), split=split)
    elif split is not None:
        raise UsageError("--split: of a classifier; name it by --classifier, or leave --split out to cross-validate")
    else:
        found = cross_validate(
            opened, known, method=_method(method), model=model, layer=layer, recipe=recipe, seed=seed
        )
    if json_:
        print(json.dumps(found.to_json()))
    else:
        _print_report(found)


def print_predictions(found: list[Prediction], *, csv: Path | None, json_: bool) -> None:
    """A table for people, a list for programs, and a CSV where one is asked for."""
    from visfeat.cli.tables import print_table

    if csv is not None:
        _write_csv(csv, found)
    if json_:
        print(json.dumps([one.to_json() for one in found]))
        return
    rows = [[one.uri, one.start_s, one.end_s, one.label, one.probability] for one in found[:_SHOWN]]
    print_table(("uri", "start_s", "end_s", "label", "probability"), rows)
    if len(found) > _SHOWN:
        print(f"and {len(found) - _SHOWN:,} more; --csv FILE or --json has all")


def _write_csv(path: Path, found: list[Prediction]) -> None:
    import pyarrow as pa

    from visfeat.store.csv import write_csv

    columns = ("uri", "start_s", "end_s", "label", "probability")
    write_csv(path, [pa.table({name: [getattr(one, name) for one in found] for name in columns})])


def _labels(source: str, store: FeatureStore, column: str) -> Labels:
    """The labels; those that match nothing are named on stderr."""
    from visfeat.labels import read_labels

    found = read_labels(source, store, column=column)
    if complaint := found.complaint():
        print(f"visfeat: {complaint}", file=sys.stderr)
    return found


def _method(name: str) -> Method:
    if name not in _METHODS:
        raise UsageError(f"--method {name}: there are {' and '.join(_METHODS)}")
    return cast("Method", name)


def _print_report(found: ClassReport) -> None:
    from visfeat.cli.tables import print_table

    print(f"{found.labels}: {found.judged:,} labels, {found.how}; {found.method} on recipe {found.recipe}")
    for name, interval in found.metrics.items():
        print(f"{name:18} {_shown(interval)}")
    for name, interval in found.rows.items():
        print(f"{'rows ' + name:18} {_shown(interval)}")
    print_table(("class", "precision", "recall", "f1", "average precision", "labels"), _class_rows(found))
    for note in found.notes:
        print(f"visfeat: {note}", file=sys.stderr)


def _class_rows(found: ClassReport) -> list[list[Any]]:
    """The classes that were judged; of the others there is nothing to say."""
    return [
        [
            name,
            _shown(one.precision, 2),
            _shown(one.recall, 2),
            _shown(one.f1, 2),
            None if one.average_precision is None else f"{one.average_precision:.2f}",
            one.labels,
        ]
        for name, one in found.of_class.items()
        if one.labels or one.precision.high > 0
    ]


def _shown(interval: Interval, digits: int = 4) -> str:
    return f"{interval.value:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"
