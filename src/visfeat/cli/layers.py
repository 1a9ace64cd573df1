"""``visfeat layers``: the layers of a model that can be extracted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

if TYPE_CHECKING:
    from visfeat.card import InputSpec

_PASSING = {"Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "DropPath", "StochasticDepth"}
"""Modules whose output is their input once training is over."""


def layers(
    model: Annotated[str, Argument(help="SOURCE/NAME or a file.")],
    weights: Annotated[
        str | None, Option(help="As for extract; names and shapes need none, so the default is random.")
    ] = None,
    size: Annotated[int | None, Option(help="Side of the input in pixels.")] = None,
    all_: Annotated[bool, Option("--all", help="Those too that pass on their input unchanged.")] = False,
    json_: Annotated[bool, Option("--json", help="Print a JSON list, and nothing else.")] = False,
) -> None:
    """List a model's layers as a dry run saw them: name, kind, shape, module; * marks the default.

    Left out are layers that pass on what they are given (Identity, and dropout, which only training has); they can be
    extracted all the same.
    """
    from visfeat.cli.tables import print_table
    from visfeat.engine.loading import card_of

    card = card_of(model, weights=weights, size_px=size)
    marked = (card.default_layer, card.logits_layer)
    shown = [spec for spec in card.layers if all_ or spec.module not in _PASSING or spec.name in marked]
    if json_:
        rows = [spec.model_dump(mode="json") | {"default": spec.name == card.default_layer} for spec in shown]
        print(json.dumps(rows))
        return
    print_table(
        ("", "layer", "kind", "shape", "module"),
        [
            ("*" if spec.name == card.default_layer else "", spec.name, spec.kind, _shape(spec.shape), spec.module)
            for spec in shown
        ],
    )
    left_out = len(card.layers) - len(shown)
    if left_out:
        print(f"({left_out} more pass on their input unchanged; --all lists them)")
    print(_input(card.input))


def _input(spec: InputSpec) -> str:
    """What the network sees, in words."""
    size = f"{spec.size_px[1]} x {spec.size_px[0]} px"
    if spec.clip_frames == 1:
        return f"input: {'optical flow' if spec.kind == 'flow' else 'pictures'}, {size}"
    rate = "consecutive" if spec.clip_fps is None else f"{spec.clip_fps:g} a second"
    what = "fields of flow" if spec.kind == "flow" else "frames"
    fixed = " and no other number" if spec.clip_lengths == (spec.clip_frames,) else ""
    return f"input: clips of {spec.clip_frames} {what}{fixed}, {rate}, {size}"


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape)
