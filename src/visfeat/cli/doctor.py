"""``visfeat doctor``: what this installation can do."""

from __future__ import annotations

import json
from typing import Annotated

from typer import Option


def doctor(json_: Annotated[bool, Option("--json", help="Print JSON, and nothing else.")] = False) -> None:
    """Show versions, CPU features, engines, codecs, GPU and cache, and what is missing with its pip line."""
    from visfeat.cli.tables import indented, print_facts
    from visfeat.doctor import examine

    findings = examine()
    if json_:
        print(json.dumps(findings))
    else:
        print_facts(indented(findings))
