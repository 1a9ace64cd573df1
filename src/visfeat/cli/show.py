"""``visfeat show``: pictures of what is inside; a command each."""

from __future__ import annotations

from itertools import count, islice
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from visfeat.cli.parsing import duration_s, moment_s
from visfeat.errors import UsageError

show_app = typer.Typer(help="Pictures of what a video or a network has inside.", no_args_is_help=True)

MOST_ROWS = 12


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
    from visfeat.show.flow import flow_moments
    from visfeat.show.flow_figure import flow_sheet, save_picture, save_video

    target = out or Path(f"{video.stem}_flow.png")
    if target.suffix.lower() not in (".png", ".mp4"):
        raise UsageError(f"-o {target}: a name that ends in .png or .mp4")
    if scale is not None and scale <= 0:
        raise UsageError(f"--scale {scale:g}: must be more than 0")
    estimate, _ = estimator_of(method, flow_weights)
    start_s = moment_s(at or "0s", option="--at")
    if target.suffix.lower() == ".mp4":
        end_s = None if for_ is None else start_s + duration_s(for_, option="--for")
        print(save_video(flow_moments(video, estimate, start_s=start_s, end_s=end_s), target, longest_px=scale))
        return
    step_s = None if every is None else duration_s(every, option="--every")
    times_s = iter([start_s]) if step_s is None else (start_s + n * step_s for n in count())
    rows = list(islice(flow_moments(video, estimate, times_s=times_s), 1 if step_s is None else MOST_ROWS))
    print(save_picture(flow_sheet(rows, title=video.name, longest_px=scale), target))
