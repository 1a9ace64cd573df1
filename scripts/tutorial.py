"""Run the pages of docs/ that show commands: each block, in order, in an empty folder, with what it printed beneath it.

    python scripts/tutorial.py            # run, write what came out into the pages, draw their figures
    python scripts/tutorial.py --check    # run, and compare with the pages; exit status 1 where they differ
    python scripts/tutorial.py --check docs/faq.md

The pages are docs/tutorial.md, docs/faq.md, docs/quickstart.ipynb (numbers within 0.03) and those of docs/how-to/,
unless some are named. Each has a folder and a process of its own, two at a time. A block of ``python`` runs in one
namespace with those before it; in a block of ``console`` the lines that begin with ``$`` are commands. What they print
to standard output (and to standard error, where the page has the comment ``<!-- standard error is shown too -->``)
stands in the block of ``text`` below, the folder of the run as ``/home/me/demo``. Of that, words must be equal; numbers
may differ as the comment ``<!-- numbers within X -->`` above the block says, else by 1e-6.
``<!-- figure: NAME(arguments) -->`` before a picture draws it with a function of ``tutorial_figures.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import tutorial_figures
from notebook import run_notebook

DOCS = Path(__file__).parents[1] / "docs"
_ALWAYS = [DOCS / "tutorial.md", DOCS / "faq.md", DOCS / "quickstart.ipynb"]
SHOWN_FOLDER = "/home/me/demo"
_STDERR_TOO = "<!-- standard error is shown too -->"
_BLOCK = re.compile(
    r"(?:<!-- numbers within (?P<within>[0-9.e-]+) -->\n)?"
    r"```(?P<kind>python|console)\n(?P<code>.*?)```\n"
    r"(?:\n```text\n(?P<output>.*?)```\n)?"
    r"|<!-- figure: (?P<figure>.*?) -->\n!\[[^\]]*\]\((?P<picture>[^)]*)\)\n",
    re.DOTALL,
)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_EXACT = 1e-6
_OF_CELLS = 0.03


@dataclass(frozen=True)
class Difference:
    """A block that gave something else than the page says."""

    code: str
    expected: str
    found: str


def run_page(text: str, folder: Path, pictures: Path) -> tuple[str, list[Difference]]:
    """The page with what its blocks printed in ``folder``, and where that differs from what it said.

    Figures are written below ``pictures``, under the names by which the page shows them.
    """
    names: dict[str, Any] = {}
    differences: list[Difference] = []
    stderr = subprocess.STDOUT if _STDERR_TOO in text else subprocess.PIPE

    def filled(found: re.Match[str]) -> str:
        if found["figure"] is not None:
            _draw(found["figure"], pictures / found["picture"], names)
            return found[0]
        printed = _python(found["code"], names) if found["kind"] == "python" else _commands(found["code"], stderr)
        printed = re.sub(r" +$", "", printed.replace(str(folder), SHOWN_FOLDER), flags=re.MULTILINE)
        expected = found["output"] or ""
        if not agree(expected, printed, within=float(found["within"] or _EXACT)):
            differences.append(Difference(found["code"], expected, printed))
        head = f"<!-- numbers within {found['within']} -->\n" if found["within"] else ""
        below = f"\n```text\n{printed}```\n" if printed else ""
        return f"{head}```{found['kind']}\n{found['code']}```\n{below}"

    with _inside(folder):
        return _BLOCK.sub(filled, text), differences


def agree(expected: str, found: str, *, within: float) -> bool:
    """Whether two outputs have the same words, and numbers that differ by no more than ``within``."""
    if _NUMBER.sub("0", expected).split() != _NUMBER.sub("0", found).split():
        return False
    pairs = zip(_NUMBER.findall(expected), _NUMBER.findall(found), strict=True)
    return all(abs(float(one) - float(other)) <= within for one, other in pairs)


def _python(code: str, names: dict[str, Any]) -> str:
    """Run a block in the page's namespace; what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "<page>", "exec"), names)
    return printed.getvalue()


def _commands(code: str, stderr: int) -> str:
    """Run the lines that begin with ``$``; a backslash at the end of one goes on with the next."""
    printed = ""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    for line in code.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            done = subprocess.run(
                line.removeprefix("$ "), shell=True, check=False, stdout=subprocess.PIPE, stderr=stderr,
                text=True, env=os.environ | {"PATH": path, "COLUMNS": "120"},
            )  # fmt: skip
            if done.returncode:
                raise SystemExit(f"{line}\n{done.stderr or done.stdout}")
            printed += done.stdout
    return printed


def _draw(call: str, target: Path, names: dict[str, Any]) -> None:
    """Draw a figure: ``NAME(arguments)``, NAME of tutorial_figures, or ``copy(PATH)`` of one that a command drew."""
    target.parent.mkdir(parents=True, exist_ok=True)
    name, _, arguments = call.partition("(")
    figure = eval(f"__draw({arguments}", names | {"__draw": getattr(tutorial_figures, name)})
    figure(target)


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _run(page: Path, *, check: bool) -> int:
    """Run a page and write it, or compare and tell the differences; how many there are."""
    with tempfile.TemporaryDirectory(prefix="") as work, tempfile.TemporaryDirectory() as drawn:
        folder = Path(work).resolve()
        if page.suffix == ".ipynb":
            written, cells = run_notebook(page, folder, SHOWN_FOLDER)
            wrong = [cell for cell in cells if not agree(cell.expected, cell.found, within=_OF_CELLS)]
            differences = [Difference(cell.code, cell.expected, cell.found) for cell in wrong]
        else:
            written, differences = run_page(page.read_text("utf-8"), folder, Path(drawn) if check else page.parent)
    if not check:
        page.write_text(written, "utf-8")
        return 0
    for one in differences:
        print(f"{one.code}\nthe page says:\n{one.expected}\nfound:\n{one.found}")
    print(
        f"{page.name}: {len(differences)} blocks differ" if differences else f"{page.name}: all as it says", flush=True
    )
    return len(differences)


def main() -> int:
    """Run the pages and write them, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", type=Path, help="these pages alone")
    parser.add_argument("--check", action="store_true", help="compare with the pages and write nothing")
    options = parser.parse_args()
    pages = options.pages or [*_ALWAYS, *sorted((DOCS / "how-to").glob("*.md"))]
    with ProcessPoolExecutor(2, max_tasks_per_child=1, mp_context=get_context("spawn")) as processes:
        differences = list(processes.map(partial(_run, check=options.check), [page.resolve() for page in pages]))
    return 1 if any(differences) else 0


if __name__ == "__main__":
    sys.exit(main())
