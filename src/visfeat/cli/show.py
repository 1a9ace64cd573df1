"""``visfeat show``: pictures of what is inside; a command each."""

from __future__ import annotations

import sys
from fractions import Fraction
from itertools import count as count_from
from itertools import islice
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from visfeat.cli.parsing import duration_s, moment_s, words
from visfeat.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

show_app = typer.Typer(help="Pictures of what a video or a network has inside.", no_args_is_help=True)

MOST_ROWS = 12

Medium = Annotated[Path, Argument(help="An image or a video.")]
Model = Annotated[str, Option("--model", "-m", help="SOURCE/NAME, a file or a run.")]
Weights = Annotated[str | None, Option(help="pretrained, random:SEED or a file.")]
At = Annotated[str | None, Option(help="Of a video: the moment, such as 3.5s.", show_default="its beginning")]
Size = Annotated[int | None, Option(help="Side in pixels that the network is fed with.")]
Clip = Annotated[int | None, Option(help="Frames in a clip, of a network of clips.")]
Scale = Annotated[str, Option(help="Colors span the values of each channel, or of the layer.")]

DEFAULT_MODEL = "bundled/efficientnet_lite0"


@show_app.command()
def flow(
    video: Annotated[Path, Argument(help="A video file.")],
    at: Annotated[str | None, Option(help="The moment, or where a video begins.", show_default="0s")] = None,
    every: Annotated[str | None, Option(help=f"A row every 2s, ..., {MOST_ROWS} at most.")] = None,
    for_: Annotated[str | None, Option("--for", help="Of a video: how long.", show_default="to the end")] = None,
    method: Annotated[str, Option("--flow", help="dis or raft.")] = "dis",
    flow_weights: Annotated[str | None, Option(help="Of raft: FILE or random:SEED.")] = None,
    scale: Annotated[float | None, Option(help="Pixels a frame that have full color.")] = None,
    out: Annotated[Path | None, Option("-o", "--out", help="A .png or .mp4 file; VIDEO_flow.png here.")] = None,
) -> None:
    """Draw where each pixel goes until the next frame: as arrows, and as colors of a wheel."""
    from visfeat.engine.flow import estimator_of
    from visfeat.figure import checked_path
    from visfeat.show.flow import flow_moments
    from visfeat.show.flow_figure import flow_sheet, save_picture, save_video

    target = checked_path(out or f"{video.stem}_flow.png", (".png", ".mp4"))
    is_video = target.suffix.lower() == ".mp4"
    if target.exists() and video.exists() and target.samefile(video):
        raise UsageError(f"-o {target}: is the video itself")
    if scale is not None and not 0 < scale < inf:
        raise UsageError(f"--scale {scale:g}: must be more than 0")
    if is_video and every is not None:
        raise UsageError(f"--every {every}: rows of a .png; a video has every frame, from --at on, --for so long")
    if not is_video and for_ is not None:
        raise UsageError(f"--for {for_}: how long a video is; say -o NAME.mp4")
    estimate, _ = estimator_of(method, flow_weights)
    start_s = moment_s(at or "0s", option="--at")
    if is_video:
        end_s = None if for_ is None else start_s + duration_s(for_, option="--for")
        print(save_video(flow_moments(video, estimate, start_s=start_s, end_s=end_s), target, longest_px=scale))
        return
    step_s = None if every is None else duration_s(every, option="--every")
    times_s = iter([start_s]) if step_s is None else (start_s + n * step_s for n in count_from())
    rows = list(islice(flow_moments(video, estimate, times_s=times_s), 1 if step_s is None else MOST_ROWS))
    print(save_picture(flow_sheet(rows, title=video.name, longest_px=scale), target))


@show_app.command()
def maps(
    medium: Medium,
    model: Model = DEFAULT_MODEL,
    layers: Annotated[str | None, Option("--layers", "-l", help="Layers, by commas; some of each depth.")] = None,
    channels: Annotated[str | None, Option(help="Channels by number, such as 0,7,12.")] = None,
    count: Annotated[int | None, Option("--count", "-n", min=1, help="Else so many, those that vary most.")] = None,
    scale: Scale = "channel",
    at: At = None,
    weights: Weights = None,
    size: Size = None,
    clip: Clip = None,
    out: Annotated[Path | None, Option("-o", "--out", help="A .png or .svg file; NAME_maps.png here.")] = None,
) -> None:
    """Draw what the channels of a network's layers see in a picture, or in a moment of a video."""
    from visfeat.figure import checked_path
    from visfeat.show.maps_figure import draw_maps, feature_maps

    target = checked_path(out or f"{medium.stem}_maps.png")
    chosen = _numbers(channels)
    options = _options(model, weights, size, clip) | {"layers": words(layers)}
    shown, found = feature_maps(medium, at_s=_moment(at), report=_report, **options)
    _write(draw_maps(shown, found, model=model, scale=scale, channels=chosen, count=count), target)


@show_app.command()
def filters(
    model: Annotated[str, Argument(help="SOURCE/NAME, a file or a run.")] = DEFAULT_MODEL,
    layer: Annotated[str | None, Option("--layer", "-l", help="A convolution.", show_default="the first")] = None,
    count: Annotated[int | None, Option("--count", "-n", min=1, help="How many of them.")] = None,
    scale: Scale = "channel",
    weights: Weights = None,
    out: Annotated[Path | None, Option("-o", "--out", help="A .png or .svg file; filters.png here.")] = None,
) -> None:
    """Draw the weights of a convolution: over three colors as pictures, else in gray, over time as strips."""
    from visfeat.figure import checked_path
    from visfeat.show.filters import filters as filters_of
    from visfeat.show.filters_figure import draw_filters

    target = checked_path(out or "filters.png")
    found = filters_of(model, layer, weights=weights or "pretrained")
    _write(draw_filters(found, model=model, scale=scale, count=count), target)


@show_app.command()
def attention(
    medium: Medium,
    model: Model,
    layer: Annotated[str | None, Option("--layer", "-l", help="Whose heads.", show_default="the last")] = None,
    at: At = None,
    weights: Weights = None,
    size: Size = None,
    out: Annotated[Path | None, Option("-o", "--out", help="A .png or .svg file; NAME_attention.png here.")] = None,
) -> None:
    """Draw where a transformer looks: each head of a layer, and all layers at once (attention rollout)."""
    from visfeat.figure import checked_path
    from visfeat.show.attention import attention as attention_of
    from visfeat.show.attention_figure import draw_attention

    target = checked_path(out or f"{medium.stem}_attention.png")
    found = attention_of(medium, at_s=_moment(at), **_options(model, weights, size, None))
    _write(draw_attention(found, model=model, layer=layer), target)


@show_app.command()
def cam(
    medium: Medium,
    model: Model = DEFAULT_MODEL,
    class_: Annotated[
        str | None, Option("--class", "-c", help="Name or number.", show_default="the most probable")
    ] = None,
    method: Annotated[
        str | None, Option(help="gradcam or occlusion.", show_default="gradcam for models of torch, else occlusion")
    ] = None,
    layer: Annotated[str | None, Option("--layer", "-l", help="Of gradcam.", show_default="the last map")] = None,
    square: Annotated[int | None, Option(help="Of occlusion: what is hidden at once, in pixels.")] = None,
    at: At = None,
    weights: Weights = None,
    size: Size = None,
    clip: Clip = None,
    out: Annotated[Path | None, Option("-o", "--out", help="A .png or .svg file; NAME_cam.png here.")] = None,
) -> None:
    """Draw which places of a picture, or of a clip, speak for a class."""
    from visfeat.figure import checked_path
    from visfeat.show.cam import class_map
    from visfeat.show.cam_figure import draw_class_map

    target = checked_path(out or f"{medium.stem}_cam.png")
    found = class_map(
        medium,
        class_,
        method=method,
        layer=layer,
        square_px=square,
        at_s=_moment(at),
        report=_report,
        **_options(model, weights, size, clip),
    )
    print(f"{found.asked.name}: {found.asked.probability:.4f}")
    _write(draw_class_map(found, model=model), target)


def _options(model: str, weights: str | None, size: int | None, clip: int | None) -> dict[str, Any]:
    return {"model": model, "weights": weights, "size": size, "clip": clip}


def _moment(at: str | None) -> Fraction | None:
    return None if at is None else moment_s(at, option="--at")


def _numbers(text: str | None) -> tuple[int, ...] | None:
    parts = words(text)
    if parts is not None and not all(part.isdigit() for part in parts):
        raise UsageError(f"--channels {text}: numbers separated by commas, such as 0,7,12")
    return None if parts is None else tuple(int(part) for part in parts)


def _report(line: str) -> None:
    print(f"visfeat: {line}", file=sys.stderr)


def _write(figure: Figure, target: Path) -> None:
    from visfeat.figure import save

    print(save(figure, target))
