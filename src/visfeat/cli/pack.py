"""``visfeat pack``: a model in one file that runs without torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from visfeat.cli.parsing import words
from visfeat.errors import UsageError


def pack(
    model: Annotated[str, Argument(help="SOURCE/NAME, a trained run, or package.module:function.")],
    out: Annotated[Path, Option("--out", "-o", help="The file to write, NAME.vfmodel.")],
    to: Annotated[str | None, Option(help="Of a trained run: onnx or openvino, NAME.onnx or NAME.xml.")] = None,
    precision: Annotated[str, Option(help="Of a trained run for openvino: f32, or int8.")] = "f32",
    weights: Annotated[str, Option(help="pretrained, FILE or random:SEED.")] = "pretrained",
    layers: Annotated[str | None, Option("--layers", "-l", help="Only these layers, by commas.")] = None,
    size: Annotated[int | None, Option(help="Side of the input in pixels.")] = None,
    clip: Annotated[int | None, Option(help="Frames in a clip, for a network of clips.")] = None,
) -> None:
    """Pack a model with its weights into one file that runs wherever the core runs."""
    if precision != "f32":
        _pack_int8(model, out, to, precision)
        return
    if to is not None:
        from visfeat.train.exporting import export_run

        error = export_run(model, out, to=to)
        print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, logits equal to {error:.1e}")
        return
    from visfeat.engine.loading import pack_model

    packed = pack_model(model, out, weights=weights, layers=words(layers), size_px=size, clip_frames=clip)
    print(f"{out}: {packed.card.name}, {len(packed.card.layers)} layers, {out.stat().st_size / 1e6:.1f} MB")


def _pack_int8(run: str, out: Path, to: str | None, precision: str) -> None:
    """Write the run in int8, and print what it loses."""
    if precision != "int8":
        raise UsageError(f"--precision {precision}: there are f32 and int8")
    if to != "openvino":
        raise UsageError("--precision int8: is written for OpenVINO; say --to openvino -o NAME.xml")
    from visfeat.train.quantizing import export_int8

    loss = export_int8(run, out, report=lambda line: print(f"visfeat: {line}", file=sys.stderr))
    size_bytes = out.with_suffix(".bin").stat().st_size
    print(f"{out}: {size_bytes / 1e6:.1f} MB of weights in int8; on the {loss.split} split, {loss.files:,} files:")
    for name, before in loss.before.items():
        after = loss.after[name]
        print(f"{name:10} {before.value:.4f} in f32, {after.value:.4f} in int8: {after.value - before.value:+.4f}")
