"""``visfeat layers``: the layers of a model that can be extracted."""

from __future__ import annotations

import json
from typing import Annotated

from typer import Argument, Option


def layers(
    model: Annotated[str, Argument(help="SOURCE/NAME or a file.")],
    weights: Annotated[
        str | None, Option(help="As for extract; names and shapes need none, so the default is random.")
    ] = None,
    size: Annotated[int | None, Option(help="Side of the input in pixels.")] = None,
    json_: Annotated[bool, Option("--json", help="Print a JSON list, and nothing else.")] = False,
) -> None:
    """List a model's layers as a dry run saw them: name, kind, shape, module; * marks the default."""
    from visfeat.cli.tables import print_table
    from visfeat.engine.loading import card_of

    card = card_of(model, weights=weights, size_px=size)
    if json_:
        rows = [spec.model_dump(mode="json") | {"default": spec.name == card.default_layer} for spec in card.layers]
        print(json.dumps(rows))
        return
    print_table(
        ("", "layer", "kind", "shape", "module"),
        [
            ("*" if spec.name == card.default_layer else "", spec.name, spec.kind, _shape(spec.shape), spec.module)
            for spec in card.layers
        ],
    )


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape)
