"""``visfeat extract``: media in, a store of features out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from visfeat.cli.live import is_live, record_live
from visfeat.cli.parsing import duration_s, numbers, words
from visfeat.errors import UsageError

if TYPE_CHECKING:
    from visfeat.extraction.run import Run
    from visfeat.extraction.settings import RecipeLike

MODEL, FRAMES, CLIPS = "Model", "Which frames of a video", "Clips, for networks that see several frames at once"
PICTURE, VECTOR, COMPUTE = "Picture", "Vector", "Computing"
_OTHERWISE = (
    "media",
    "recipe",
    "list_",
    "json_",
    "quiet",
    "preset",
    "every",
    "clip_frames",
    "input_",
    "live_s",
    "max_frames",
)
"""What is no option of ``visfeat.extract`` under its own name."""
SEQUENCE = "From the rows of a video, or of each of its shots, to one"


def extract(
    media: Annotated[
        list[str] | None, Argument(help="Files, folders, globs; or -, rtsp://..., /dev/video0.", show_default=False)
    ] = None,
    store: Annotated[
        Path | None, Option("--store", "-s", help="The store's folder.", show_default="features.vf")
    ] = None,
    recipe: Annotated[
        list[str] | None,
        Option("--recipe", "-r", help="A TOML file with any of these options; several, or shots, share one decode."),
    ] = None,
    preset: Annotated[str | None, Option(help="A named recipe: visfeat/copies, video_features/r21d, ...")] = None,
    list_: Annotated[str | None, Option("--list", help="A file of paths, one a line; - reads stdin.")] = None,
    redo: Annotated[bool, Option("--redo", help="Extract again what is there already.")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what would be done.")] = False,
    json_: Annotated[bool, Option("--json", help="Print the summary as JSON, and nothing else.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress, no summary.")] = False,
    max_pixels: Annotated[
        int | None, Option(help="Refuse pictures that promise more pixels.", show_default="250000000")
    ] = None,
    model: Annotated[str | None, Option("--model", "-m", help="SOURCE/NAME or a file.", rich_help_panel=MODEL)] = None,
    weights: Annotated[str | None, Option(help="pretrained, FILE or random:SEED.", rich_help_panel=MODEL)] = None,
    layers: Annotated[str | None, Option("--layers", "-l", help="Names, by commas.", rich_help_panel=MODEL)] = None,
    top: Annotated[int | None, Option(help="Keep the network's N likeliest classes.", rich_help_panel=MODEL)] = None,
    every: Annotated[str | None, Option(help="A frame every 0.5s, 2min, ...", rich_help_panel=FRAMES)] = None,
    fps: Annotated[str | None, Option(help="So many frames a second.", rich_help_panel=FRAMES)] = None,
    every_frame: Annotated[bool, Option("--every-frame", help="All frames.", rich_help_panel=FRAMES)] = False,
    every_nth: Annotated[int | None, Option(help="Each N-th decoded frame.", rich_help_panel=FRAMES)] = None,
    frames: Annotated[int | None, Option(help="N frames, evenly spaced.", rich_help_panel=FRAMES)] = None,
    keyframes: Annotated[bool, Option("--keyframes", help="The codec's keyframes.", rich_help_panel=FRAMES)] = False,
    stream: Annotated[int | None, Option(help="Which video stream, from 0.", rich_help_panel=FRAMES)] = None,
    animations: Annotated[str | None, Option(help="first frame or video.", rich_help_panel=FRAMES)] = None,
    frames_per_shot: Annotated[int | None, Option(help="N frames of every shot.", rich_help_panel=FRAMES)] = None,
    live_s: Annotated[
        str | None, Option("--for", help="Stop a live source after 10s, 2min, ...", rich_help_panel=FRAMES)
    ] = None,
    max_frames: Annotated[int | None, Option(help="Stop a live source after N frames.", rich_help_panel=FRAMES)] = None,
    clip: Annotated[int | None, Option(help="Frames in a clip.", rich_help_panel=CLIPS)] = None,
    stride: Annotated[int | None, Option(help="Frames from clip to clip.", rich_help_panel=CLIPS)] = None,
    clip_fps: Annotated[str | None, Option(help="Frames a second in a clip.", rich_help_panel=CLIPS)] = None,
    clip_frames: Annotated[
        bool, Option("--clip-frames", help="Consecutive decoded frames, whatever their times.", rich_help_panel=CLIPS)
    ] = False,
    tail: Annotated[str | None, Option(help="overlap, pad, loop or drop.", rich_help_panel=CLIPS)] = None,
    preprocess: Annotated[str | None, Option(help="fast or reference.", rich_help_panel=PICTURE)] = None,
    size: Annotated[int | None, Option(help="Side of the input in pixels.", rich_help_panel=PICTURE)] = None,
    fit: Annotated[str | None, Option(help="crop, squash or pad.", rich_help_panel=PICTURE)] = None,
    crop: Annotated[str | None, Option(help="x,y,w,h: pixels or fractions.", rich_help_panel=PICTURE)] = None,
    interpolation: Annotated[str | None, Option(help="bicubic, bilinear, ...", rich_help_panel=PICTURE)] = None,
    mean: Annotated[str | None, Option(help="r,g,b of 0 to 1.", rich_help_panel=PICTURE)] = None,
    std: Annotated[str | None, Option(help="r,g,b of 0 to 1.", rich_help_panel=PICTURE)] = None,
    crops: Annotated[str | None, Option(help="center, 3, 5 or 10 views.", rich_help_panel=PICTURE)] = None,
    trim: Annotated[
        bool, Option("--trim", help="Cut off borders of one color first.", rich_help_panel=PICTURE)
    ] = False,
    mirror: Annotated[
        bool, Option("--mirror", help="See pictures in a mirror, left for right.", rich_help_panel=PICTURE)
    ] = False,
    crops_apart: Annotated[
        bool, Option("--crops-apart", help="Keep the views' vectors apart.", rich_help_panel=PICTURE)
    ] = False,
    input_: Annotated[str | None, Option("--input", help="rgb or flow.", rich_help_panel=PICTURE)] = None,
    flow: Annotated[str | None, Option(help="Optical flow by dis or raft.", rich_help_panel=PICTURE)] = None,
    flow_weights: Annotated[str | None, Option(help="Of raft: FILE or random:SEED.", rich_help_panel=PICTURE)] = None,
    pool: Annotated[
        str | None, Option(help="avg, max, gem, cls, tokens, flatten, none.", rich_help_panel=VECTOR)
    ] = None,
    pool_time: Annotated[str | None, Option(help="Of clips: avg, max or none.", rich_help_panel=CLIPS)] = None,
    normalize: Annotated[
        bool | None, Option("--normalize/--no-normalize", help="Unit length (L2).", rich_help_panel=VECTOR)
    ] = None,
    dtype: Annotated[str | None, Option(help="float32 or float16 in the store.", rich_help_panel=VECTOR)] = None,
    segments: Annotated[str | None, Option(help="shots: a vector for each.", rich_help_panel=SEQUENCE)] = None,
    temporal: Annotated[
        str | None, Option(help="mean, max, std, vlad, attention or lstm.", rich_help_panel=SEQUENCE)
    ] = None,
    temporal_model: Annotated[
        str | None, Option(help="What it learned: FILE, RUN, random:SEED, kmeans:SEED.", rich_help_panel=SEQUENCE)
    ] = None,
    temporal_rows: Annotated[
        str | None, Option(help="Of lstm: final state or all steps.", rich_help_panel=SEQUENCE)
    ] = None,
    engine: Annotated[str | None, Option(help="auto, openvino or torch.", rich_help_panel=COMPUTE)] = None,
    device: Annotated[str | None, Option(help="auto, cpu, cuda[:N], mps, intel-gpu.", rich_help_panel=COMPUTE)] = None,
    precision: Annotated[str | None, Option(help="f32, bf16 or fp16.", rich_help_panel=COMPUTE)] = None,
    batch_size: Annotated[int | None, Option(help="Pictures at a time.", rich_help_panel=COMPUTE)] = None,
    threads: Annotated[int | None, Option(help="Cores to use.", rich_help_panel=COMPUTE)] = None,
) -> None:
    """Extract features of images and videos into a store; the same command again does only what is missing.

    Several recipes (-r a.toml -r b.toml -r shots) share one decode; the other options apply to each.

    Exit code 0: all done; 3: done, with failures (visfeat failures names them); 130: interrupted, what was finished
    is kept.
    """
    given = dict(locals())
    # What a store holds can be pooled over time without a file.
    if not media and list_ is None and not (temporal or segments):
        raise UsageError("nothing to extract: name files or folders, or --list FILE")
    if threads is not None and threads < 1:
        raise UsageError(f"--threads {threads}: must be at least 1")
    options = _options(given)
    if media and is_live(media, given):
        runs = [_run_live(media[0], given, options)]
    else:
        runs = _run(media or [], list_, *_recipes(given, options), quiet=quiet)
    _print(runs, as_json=json_, quiet=quiet)
    raise typer.Exit(max(run.exit_code for run in runs))


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """The command line's words as options of ``visfeat.extract``; raises UsageError."""
    every = given["every"]
    plain = {name: value for name, value in given.items() if name not in _OTHERWISE}
    return plain | {
        "layers": words(given["layers"]),
        "every_s": None if every is None else duration_s(every, option="--every"),
        "every_frame": given["every_frame"] or None,
        "keyframes": given["keyframes"] or None,
        "consecutive": given["clip_frames"] or None,
        "crop": numbers(given["crop"], 4, option="--crop"),
        "crops_apart": given["crops_apart"] or None,
        "trim": given["trim"] or None,
        "mirror": given["mirror"] or None,
        "input": given["input_"],
        "mean": numbers(given["mean"], 3, option="--mean"),
        "std": numbers(given["std"], 3, option="--std"),
        "pool": _pools(given["pool"]),
    }


def _recipes(given: dict[str, Any], options: dict[str, Any]) -> tuple[Sequence[RecipeLike], dict[str, Any]]:
    """The recipes, and the options that are still to be applied to each; a preset's recipes have taken theirs.

    Recipes are files, or the word shots; one that says nothing where none is named.
    """
    if given["preset"] is None:
        return given["recipe"] or [None], options
    if given["recipe"]:
        raise UsageError(f"--preset {given['preset']}: is a recipe of its own; leave --recipe out")
    from visfeat.presets import presets
    from visfeat.recipe import Recipe

    fields = {name: value for name, value in options.items() if name in Recipe.model_fields}
    return presets(given["preset"], fields), {name: options[name] for name in options.keys() - fields.keys()}


def _pools(text: str | None) -> str | tuple[str, ...] | None:
    """One pooling for all layers, or one a layer."""
    parts = words(text)
    return parts[0] if parts and len(parts) == 1 else parts


def _run(
    media: list[str], list_: str | None, recipes: Sequence[RecipeLike], options: dict[str, Any], *, quiet: bool
) -> list[Run]:
    from visfeat.extraction.run import extract_many
    from visfeat.media.find import read_list

    listed = [] if list_ is None else list(read_list(list_))
    with _progress(quiet) as (on_progress, report):
        return extract_many(media, recipes, listed=listed, on_progress=on_progress, report=report, **options)


def _run_live(source: str, given: dict[str, Any], options: dict[str, Any]) -> Run:
    recipes, options = _recipes(given, options)
    if len(recipes) > 1:
        raise UsageError(f"{source}: a live source takes one recipe at a time")
    with _progress(given["quiet"]) as (on_progress, report):
        return record_live(
            source,
            given,
            options | {"recipe": recipes[0]},
            on_progress=lambda progress: on_progress([progress]),
            report=report,
        )


def _progress(quiet: bool) -> AbstractContextManager[tuple[Callable[..., None], Callable[[str], None]]]:
    """Callbacks for progress and remarks: a bar where stderr is a terminal, only remarks where it is not."""
    from visfeat.cli.progress import bar, no_bar

    return no_bar(quiet=quiet) if quiet or not sys.stderr.isatty() else bar()


def _print(runs: Sequence[Run], *, as_json: bool, quiet: bool) -> None:
    """One object for one recipe, a list for several."""
    if as_json:
        found = [run.to_json() for run in runs]
        print(json.dumps(found[0] if len(found) == 1 else found))
    elif not quiet:
        from visfeat.cli.tables import print_run

        for number, run in enumerate(runs):
            if number:
                print()
            print_run(run)
    if any(run.interrupted for run in runs):
        print("visfeat: interrupted; what was finished is kept, the same command goes on from here", file=sys.stderr)
