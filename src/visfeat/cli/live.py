"""``visfeat extract -`` and other live sources: one source, recorded until it ends or is stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from visfeat.cli.parsing import duration_s
from visfeat.errors import UsageError
from visfeat.media.address import live_address

if TYPE_CHECKING:
    from visfeat.extraction.run import Run

_BOUNDS = ("live_s", "max_frames")
_NOT_LIVE = ("redo", "dry_run")


def is_live(media: list[str] | None, given: dict[str, Any]) -> bool:
    """Whether a live source is meant; raises UsageError where files and live sources, or their options, are mixed."""
    live = [source for source in media or [] if live_address(source) is not None]
    if not live:
        for name in _BOUNDS:
            if given[name] is not None:
                option = {"live_s": "for", "max_frames": "max-frames"}[name]
                raise UsageError(f"--{option}: bounds a live source (-, rtsp://..., /dev/video0), not files")
        return False
    if len(media or []) > 1 or given["list_"] is not None:
        raise UsageError(f"{live[0]}: a live source is extracted alone")
    for name in _NOT_LIVE:
        if given[name]:
            raise UsageError(f"--{name.replace('_', '-')}: a live source is never there twice")
    if len(given["recipe"] or []) > 1 or given["recipe"] == ["shots"]:
        raise UsageError("--recipe: a live source takes one, of frames or clips")
    return True


def end_on_terminate() -> None:
    """Let SIGTERM, which services and ``timeout`` send, end a live source as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def record_live(
    source: str,
    given: dict[str, Any],
    options: dict[str, Any],
    *,
    on_progress: Callable[..., None],
    report: Callable[[str], None],
) -> Run:
    """Record a live source as the command line says; ``options`` as for ``visfeat.extract``."""
    from visfeat.streaming.record import record

    end_on_terminate()
    plain = {name: value for name, value in options.items() if name not in _NOT_LIVE}
    bound = given["live_s"]
    return record(
        source,
        live_s=None if bound is None else duration_s(bound, option="--for"),
        max_frames=given["max_frames"],
        on_progress=on_progress,
        report=report,
        **plain,
    )
