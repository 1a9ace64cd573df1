"""Run a notebook in a folder, and give what each of its cells printed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient

_LIMIT_S = 120


@dataclass(frozen=True)
class CellRun:
    """A cell of code: what the notebook says that it printed, and what it printed now."""

    code: str
    expected: str
    found: str


def run_notebook(path: Path, folder: Path, shown_folder: str) -> tuple[str, list[CellRun]]:
    """The notebook with its new outputs, as text of a file, and its cells' runs.

    ``folder`` is written as ``shown_folder`` in the outputs. What is not text printed (results, pictures, messages on
    standard error) is left out, and so is what changes from run to run: counters, times, the machine's kernel. Raises
    ``nbclient.exceptions.CellExecutionError`` where a cell raises.
    """
    notebook = nbformat.read(path, as_version=4)
    said = [_printed(cell) for cell in notebook.cells]
    NotebookClient(
        notebook,
        timeout=_LIMIT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--log-level=ERROR"],
    ).execute()
    runs = []
    for cell, expected in zip(notebook.cells, said, strict=True):
        cell.metadata = nbformat.NotebookNode()
        if cell.cell_type != "code":
            continue
        found = _printed(cell).replace(str(folder), shown_folder)
        cell.execution_count = None
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=found)] if found else []
        runs.append(CellRun(cell.source, expected, found))
    notebook.metadata = nbformat.NotebookNode(
        kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"}
    )
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n", runs


def _printed(cell: nbformat.NotebookNode) -> str:
    """What a cell printed to standard output, without blanks at the ends of lines."""
    streams = [one for one in cell.get("outputs", []) if one.output_type == "stream" and one.name == "stdout"]
    text = "".join(one.text for one in streams)
    return "\n".join(line.rstrip() for line in text.split("\n"))
