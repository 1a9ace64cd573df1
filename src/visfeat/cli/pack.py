"""``visfeat pack``: a model in one file that runs without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from visfeat.cli.parsing import words


def pack(
    model: Annotated[str, Argument(help="SOURCE/NAME, a trained run, or package.module:function.")],
    out: Annotated[Path, Option("--out", "-o", help="The file to write, NAME.vfmodel.")],
    to: Annotated[str | None, Option(help="Of a trained run: onnx or openvino, NAME.onnx or NAME.xml.")] = None,
    weights: Annotated[str, Option(help="pretrained, FILE or random:SEED.")] = "pretrained",
    layers: Annotated[str | None, Option("--layers", "-l", help="Only these layers, by commas.")] = None,
    size: Annotated[int | None, Option(help="Side of the input in pixels.")] = None,
    clip: Annotated[int | None, Option(help="Frames in a clip, for a network of clips.")] = None,
) -> None:
    """Pack a model with its weights into one file that runs wherever the core runs."""
    if to is not None:
        from visfeat.train.exporting import export_run

        error = export_run(model, out, to=to)
        print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, logits equal to {error:.1e}")
        return
    from visfeat.engine.loading import pack_model

    packed = pack_model(model, out, weights=weights, layers=words(layers), size_px=size, clip_frames=clip)
    print(f"{out}: {packed.card.name}, {len(packed.card.layers)} layers, {out.stat().st_size / 1e6:.1f} MB")
