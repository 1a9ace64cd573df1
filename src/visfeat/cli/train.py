"""``visfeat train``: labeled images or videos in, a trained run out, which is at once a feature extractor."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from visfeat.cli.parsing import duration_s, numbers, words
from visfeat.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from visfeat.train.run import TrainedRun

MODEL, DATA, INPUT, LOOP, COMPUTE = "Model", "Data", "Input", "Loop", "Computing"
_NEEDS = ("torch", "torchvision", "timm", "safetensors", "pytorch_lightning", "torchmetrics")
_OTHERWISE = ("data", "redo", "json_", "quiet", "every")


def train(
    data: Annotated[list[str] | None, Argument(help="FILE.toml; a folder per class, CSV, IDX, a store.")] = None,
    out: Annotated[str | None, Option("--out", "-o", help="The run's folder.", show_default="runs/DATA-MODEL")] = None,
    redo: Annotated[bool, Option("--redo", help="Begin anew and replace what the folder holds.")] = False,
    json_: Annotated[bool, Option("--json", help="Print the run's card as JSON, and nothing else.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress, no summary.")] = False,
    model: Annotated[
        str | None,
        Option("--model", "-m", help="cnn, c3d, cnn_lstm, lstm_autoencoder, SOURCE/NAME.", rich_help_panel=MODEL),
    ] = None,
    weights: Annotated[
        str | None, Option(help="Of a known network: pretrained, FILE or random:SEED.", rich_help_panel=MODEL)
    ] = None,
    freeze: Annotated[
        bool | None, Option("--freeze/--no-freeze", help="Learn the head alone.", rich_help_panel=MODEL)
    ] = None,
    unfreeze_last: Annotated[
        int | None, Option(help="Learn the head and N layers before it.", rich_help_panel=MODEL)
    ] = None,
    dropout: Annotated[float | None, Option(help="Share left out at random.", rich_help_panel=MODEL)] = None,
    width: Annotated[int | None, Option(help="Channels of the first convolution.", rich_help_panel=MODEL)] = None,
    channels: Annotated[int | None, Option(help="Of cnn: 1 brightness, 3 colors.", rich_help_panel=MODEL)] = None,
    batch_norm: Annotated[
        bool | None, Option("--batch-norm/--no-batch-norm", help="Of c3d.", rich_help_panel=MODEL)
    ] = None,
    backbone: Annotated[str | None, Option(help="Of cnn_lstm: cnn or SOURCE/NAME.", rich_help_panel=MODEL)] = None,
    hidden: Annotated[int | None, Option(help="Width of the LSTM's state.", rich_help_panel=MODEL)] = None,
    lstm_layers: Annotated[int | None, Option(help="LSTMs on top of each other.", rich_help_panel=MODEL)] = None,
    bidirectional: Annotated[
        bool | None, Option("--bidirectional/--one-way", help="LSTMs both ways.", rich_help_panel=MODEL)
    ] = None,
    lstm_pool: Annotated[str | None, Option(help="last or attention.", rich_help_panel=MODEL)] = None,
    recipe: Annotated[
        str | None, Option("--recipe", "-r", help="Of a store: whose rows are learned.", rich_help_panel=DATA)
    ] = None,
    layer: Annotated[
        str | None, Option("--layer", "-l", help="Of a store: where it has several.", rich_help_panel=DATA)
    ] = None,
    val: Annotated[float | None, Option(help="Share that validates.", rich_help_panel=DATA)] = None,
    test: Annotated[float | None, Option(help="Share that is kept for the end.", rich_help_panel=DATA)] = None,
    multilabel: Annotated[
        bool | None, Option("--multilabel", help="Several labels a file, parted by |.", rich_help_panel=DATA)
    ] = None,
    labels: Annotated[
        str | None, Option(help="Of a table: its columns of labels, a head each.", rich_help_panel=DATA)
    ] = None,
    cache: Annotated[str | None, Option(help="auto, ram, disk or none.", rich_help_panel=DATA)] = None,
    augment: Annotated[
        str | None, Option(help="flip, shift:1, crop:0.5, rotate:10, jitter:0.2, erase:0.25.", rich_help_panel=DATA)
    ] = None,
    size: Annotated[int | None, Option(help="Side of the input in pixels.", rich_help_panel=INPUT)] = None,
    fit: Annotated[str | None, Option(help="crop, squash or pad.", rich_help_panel=INPUT)] = None,
    interpolation: Annotated[str | None, Option(help="bicubic, bilinear, ...", rich_help_panel=INPUT)] = None,
    mean: Annotated[str | None, Option(help="r,g,b of 0 to 1.", rich_help_panel=INPUT)] = None,
    std: Annotated[str | None, Option(help="r,g,b of 0 to 1.", rich_help_panel=INPUT)] = None,
    every: Annotated[str | None, Option(help="Of videos: a frame every 0.5s, ...", rich_help_panel=INPUT)] = None,
    frames: Annotated[int | None, Option(help="Of videos: N frames, evenly spaced.", rich_help_panel=INPUT)] = None,
    clip: Annotated[int | None, Option(help="Frames in a clip.", rich_help_panel=INPUT)] = None,
    stride: Annotated[int | None, Option(help="Frames from clip to clip.", rich_help_panel=INPUT)] = None,
    clip_fps: Annotated[str | None, Option(help="Frames a second in a clip.", rich_help_panel=INPUT)] = None,
    epochs: Annotated[int | None, Option("--epochs", "-e", help="How often all is seen.", rich_help_panel=LOOP)] = None,
    batch_size: Annotated[int | None, Option(help="Samples at a time.", rich_help_panel=LOOP)] = None,
    lr: Annotated[float | None, Option(help="Learning rate.", rich_help_panel=LOOP)] = None,
    optimizer: Annotated[str | None, Option(help="adamw, adam or sgd.", rich_help_panel=LOOP)] = None,
    weight_decay: Annotated[float | None, Option(help="Pull of the weights to 0.", rich_help_panel=LOOP)] = None,
    schedule: Annotated[str | None, Option(help="onecycle, cosine or constant.", rich_help_panel=LOOP)] = None,
    clip_norm: Annotated[float | None, Option(help="Longest gradient.", rich_help_panel=LOOP)] = None,
    label_smoothing: Annotated[float | None, Option(help="Doubt about the labels.", rich_help_panel=LOOP)] = None,
    patience: Annotated[int | None, Option(help="Stop after N epochs without gain.", rich_help_panel=LOOP)] = None,
    seed: Annotated[int | None, Option(help="Of weights, splits and order.", rich_help_panel=LOOP)] = None,
    checkpoint_steps: Annotated[int | None, Option(help="A checkpoint every N steps.", rich_help_panel=LOOP)] = None,
    precision: Annotated[str | None, Option(help="f32, bf16 or fp16.", rich_help_panel=COMPUTE)] = None,
    device: Annotated[str | None, Option(help="auto, cpu, cuda[:N], mps.", rich_help_panel=COMPUTE)] = None,
    devices: Annotated[int | None, Option(help="How many of them.", rich_help_panel=COMPUTE)] = None,
    threads: Annotated[int | None, Option(help="Cores to use.", rich_help_panel=COMPUTE)] = None,
    logger: Annotated[str | None, Option(help="csv, tensorboard, mlflow, wandb.", rich_help_panel=COMPUTE)] = None,
) -> None:
    """Train a network on your own labeled images or videos; the same command again goes on where it stopped.

    The run's folder is a model: visfeat extract MEDIA --model RUN --layers fc1.
    """
    given = dict(locals())
    if not data:
        raise UsageError("nothing to learn from: name FILE.toml, a folder per class, a table of labels or IDX files")
    run = _run(data, _options(given), redo=redo, quiet=quiet)
    if json_:
        print(json.dumps(run.card.model_dump(mode="json", exclude_none=True)))
    elif not quiet:
        _print(run)


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """The command line's words as fields of Settings; raises UsageError."""
    every = given["every"]
    return {name: value for name, value in given.items() if name not in _OTHERWISE} | {
        "every_s": None if every is None else duration_s(every, option="--every"),
        "mean": numbers(given["mean"], 3, option="--mean"),
        "std": numbers(given["std"], 3, option="--std"),
        "augment": words(given["augment"]),
        "labels": words(given["labels"]),
        "logger": words(given["logger"]),
    }


def _run(data: list[str], options: dict[str, Any], *, redo: bool, quiet: bool) -> TrainedRun:
    from visfeat.train.settings import Settings

    if len(data) == 1 and Path(data[0]).suffix == ".toml":
        settings = Settings.from_toml(data[0], **options)
    else:
        settings = Settings.from_options(data=tuple(data), **options)
    try:
        from visfeat.train.run import train as train_model
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDS:
            raise
        raise MissingExtra(f"visfeat train ({error.name})", extra="train") from None

    def report(line: str) -> None:
        if not quiet:
            print(f"visfeat: {line}", file=sys.stderr)

    return train_model(settings, redo=redo, report=report, bar=sys.stderr.isatty() and not quiet)


def _print(run: TrainedRun) -> None:
    card = run.card
    if run.was_there:
        print(f"{run.folder}: was finished already; --redo trains it anew")
    for name, value in card.metrics.items():
        print(f"{name:20} {value:.4f}")
    left_out = f", {card.data.rejected} files left out (rejected.csv)" if card.data.rejected else ""
    print(f"{run.folder}: {card.architecture.model}, {len(card.classes)} classes{left_out}")
    if card.not_packed:
        print(f"visfeat: not packed: {card.not_packed}", file=sys.stderr)
