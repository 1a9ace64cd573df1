"""An evaluation as a file: JSON, a figure, or one page of HTML that holds tables, figures and the worst mistakes."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from visfeat.errors import StoreError
from visfeat.figure import checked_path, save
from visfeat.models.runs import run_folder
from visfeat.show.contact_sheet import Tile, contact_sheet
from visfeat.show.evaluation_figure import draw_evaluation
from visfeat.train.evaluation import Evaluation, Mistake

ENDINGS = (".json", ".png", ".svg", ".html")
SHOWN_MISTAKES = 24
_STYLE = """body { font: 15px/1.5 sans-serif; color: #1c1e21; max-width: 1100px; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse }
td, th { padding: .2em 1em .2em 0; text-align: left; border-bottom: 1px solid #d9dce1 }
td.n { text-align: right; font-variant-numeric: tabular-nums } img { max-width: 100% }"""


def save_evaluation(found: Evaluation, path: Path) -> Path:
    """Write by the path's ending; raises UsageError for another one, StoreError, MissingExtra without matplotlib."""
    target = checked_path(path, ENDINGS)
    kind = target.suffix.lower()
    if kind in (".png", ".svg"):
        return save(draw_evaluation(found, training_curves(found.run)), target)
    text = json.dumps(found.to_json(), indent=1) if kind == ".json" else html_page(found)
    try:
        target.write_text(text, "utf-8")
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def training_curves(run: str) -> dict[str, list[tuple[float, float]]]:
    """What the run's CSV logs say of each epoch: name -> (epoch, value); the last word of an epoch counts."""
    found: dict[str, dict[float, float]] = defaultdict(dict)
    logs = sorted((run_folder(run) / "logs" / "csv").glob("*/metrics.csv"), key=lambda path: path.stat().st_mtime_ns)
    for log in logs:
        with log.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for name, value in row.items():
                    if name.startswith(("train_", "val_")) and value:
                        found[name][float(row["epoch"]) + 1] = float(value)
    return {name: sorted(points.items()) for name, points in found.items()}


def mistakes_sheet(found: Evaluation) -> Image.Image:
    """The surest mistakes as the network saw them, each with what it was taken for."""
    tiles = [_tile(one) for one in found.mistakes[:SHOWN_MISTAKES]]
    return contact_sheet(tiles, title=f"The surest mistakes of {found.run}")


def html_page(found: Evaluation) -> str:
    """One file without anything from elsewhere; raises MissingExtra without matplotlib."""
    parts = list(_section(found, training=True))
    for name, one in found.heads.items():
        parts += [f"<h2>{escape(name)}</h2>", *_section(one, training=False)]
    if found.rejected:
        rows = [[uri, label, reason] for uri, label, reason in found.rejected]
        parts += ["<h2>Files left out</h2>", _table(("file", "label", "reason"), rows)]
    title = escape(f"{found.run}: evaluation")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return "\n".join([head, f"<h1>{title}</h1>", *parts, "</html>", ""])


def _section(found: Evaluation, *, training: bool) -> Iterator[str]:
    where = "all of the data" if found.split == "all" else f"the {found.split} split"
    yield f"<p>{escape(where)}: {found.files:,} files, {found.samples:,} samples; {escape(', '.join(found.data))}</p>"
    if found.gone or found.ignored:
        yield (
            f"<p>{len(found.gone):,} files of the split are gone; {found.ignored:,} files that the data have gained "
            "since the training are ignored</p>"
        )
    rows: list[list[Any]] = [[name, one.value, one.low, one.high] for name, one in found.metrics.items()]
    yield _table(("score", "value", "95% from", "to"), rows)
    curves = training_curves(found.run) if training else {}
    if found.reliability is not None or curves:
        figure = io.BytesIO()
        # Of several heads each has a section, and a figure, of its own.
        draw_evaluation(replace(found, heads={}), curves).savefig(figure, format="png")
        yield _picture(figure.getvalue(), "confusion matrix and curves")
    if found.of_class:
        names = ("precision", "recall", "f1", "files")
        yield _table(("class", *names), [[name, *(one[key] for key in names)] for name, one in found.of_class.items()])
    if found.mistakes:
        sheet = io.BytesIO()
        mistakes_sheet(found).save(sheet, format="PNG")
        yield "<h2>The surest mistakes</h2>" if training else "<h3>The surest mistakes</h3>"
        yield _picture(sheet.getvalue(), "pictures of which the network was wrong")
        rows = [[_place(one), one.label, one.predicted, one.probability] for one in found.mistakes]
        yield _table(("file", *_columns(found.mistakes[0]), "probability"), rows)


def _columns(one: Mistake) -> tuple[str, str]:
    """What label and prediction of a mistake are called; of several labels only one of the two is there."""
    return ("is", "taken for") if one.kind == "class" else ("missed", "not there")


def _tile(one: Mistake) -> Tile:
    picture = None if one.picture is None else Image.fromarray(one.picture)
    return Tile(one.uri, one.at_s, one.words, picture=picture)


def _place(one: Mistake) -> str:
    return one.uri if one.at_s is None else f"{one.uri}#t={one.at_s:g}"


def _picture(png: bytes, what: str) -> str:
    return f'<p><img alt="{escape(what)}" src="data:image/png;base64,{base64.b64encode(png).decode()}"></p>'


def _table(columns: tuple[str, ...], rows: list[list[Any]]) -> str:
    def cell(value: object) -> str:
        if isinstance(value, int | float):
            return f'<td class="n">{value:,}</td>' if isinstance(value, int) else f'<td class="n">{value:.4f}</td>'
        return f"<td>{escape(str(value))}</td>"

    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    lines = "\n".join(f"<tr>{''.join(cell(value) for value in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>\n{lines}</table>"
