"""The entry point: the table of commands, and errors as one line with an exit code."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from visfeat.cli.audit import audit
from visfeat.cli.cache import cache_app
from visfeat.cli.classify import classify_app
from visfeat.cli.cluster import cluster
from visfeat.cli.compare import compare
from visfeat.cli.dedupe import apply, dedupe
from visfeat.cli.demo import demo
from visfeat.cli.doctor import doctor
from visfeat.cli.evaluate import evaluate
from visfeat.cli.export import export
from visfeat.cli.extract import extract
from visfeat.cli.failures import failures
from visfeat.cli.index import index
from visfeat.cli.info import info
from visfeat.cli.label import label
from visfeat.cli.layers import layers
from visfeat.cli.map import map as map_store
from visfeat.cli.models import models
from visfeat.cli.pack import pack
from visfeat.cli.plot import plot_app
from visfeat.cli.sample import sample
from visfeat.cli.samples import samples
from visfeat.cli.search import search
from visfeat.cli.shots import shots
from visfeat.cli.show import show_app
from visfeat.cli.summarize import summarize
from visfeat.cli.train import train
from visfeat.cli.vocabulary import vocabulary
from visfeat.cli.watch import watch
from visfeat.errors import VisfeatError

app = typer.Typer(
    name="visfeat",
    help="Folders of images and videos become a store of feature vectors.",
    epilog="Exit codes: 0 done, 1 could not start, 2 wrong usage, 3 done with failures, 130 interrupted.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
COMMANDS = (
    extract,
    info,
    failures,
    export,
    models,
    layers,
    pack,
    vocabulary,
    shots,
    samples,
    search,
    index,
    dedupe,
    apply,
    cluster,
    map_store,
    sample,
    audit,
    summarize,
    label,
    watch,
    compare,
    train,
    evaluate,
    demo,
    doctor,
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(classify_app, name="classify")
app.add_typer(plot_app, name="plot")
app.add_typer(show_app, name="show")
app.add_typer(cache_app, name="cache")


@app.callback()
def about(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Folders of images and videos become a store of feature vectors."""
    if version:
        print(importlib.metadata.version("visfeat"))
        raise typer.Exit(0)


# typer carries its own click; this is its public way to the class of all usage errors.
_CLICK_ERROR: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException" and issubclass(base, Exception)
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; never shows a traceback unless VISFEAT_DEBUG is set."""
    debug = bool(os.environ.get("VISFEAT_DEBUG"))
    logging.basicConfig(level=logging.DEBUG if debug else logging.CRITICAL)
    try:
        code = app(args=None if arguments is None else list(arguments), standalone_mode=False)
        sys.stdout.flush()
    except VisfeatError as error:
        code = complain(str(error), error.exit_code)
    except _CLICK_ERROR as error:
        code = complain(_usage(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        code = complain("interrupted", 130)
    except BrokenPipeError:
        # Whoever reads our output has seen enough (head, less); do not complain again on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        code = complain(f"{error.filename or 'the file system'}: {error.strerror or error}", 1)
    except Exception as error:
        if debug:
            raise
        kind = type(error).__name__
        code = complain(f"internal error: {kind}: {error} (VISFEAT_DEBUG=1 shows where; please report it)", 1)
    sys.exit(code if isinstance(code, int) else 0)


def complain(message: str, exit_code: int) -> int:
    """Print one error line to stderr; returns the exit code."""
    one_line = "; ".join(line.strip() for line in message.splitlines() if line.strip()).replace(":; ", ": ")
    print(f"visfeat: error: {one_line}", file=sys.stderr)
    return exit_code


def _usage(error: BaseException) -> str:
    """A usage error as one line, with the command whose help says more; nothing where help was shown instead."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "visfeat"
    message = getattr(error, "format_message", lambda: str(error))() or "no command given"
    return f"{message.rstrip('.')} ({where} --help lists the options)"


if __name__ == "__main__":
    main()
