"""``visfeat models``: which models there are."""

from __future__ import annotations

import json
from typing import Annotated

from typer import Argument, Option


def models(
    pattern: Annotated[str, Argument(help="A glob such as 'resnet*' or 'timm/vit*'.")] = "*",
    json_: Annotated[bool, Option("--json", help="Print a JSON list, and nothing else.")] = False,
) -> None:
    """List the models whose names match a glob."""
    from visfeat.models.registry import missing_sources, model_names

    names = model_names(pattern)
    if json_:
        print(json.dumps(names))
        return
    for name in names:
        print(name)
    if not names:
        print(f"no model matches {pattern}")
    for line in missing_sources():
        print(f"({line})")
