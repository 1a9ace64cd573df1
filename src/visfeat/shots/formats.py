"""Shots for other programs: JSON, CSV, EDL (CMX 3600) and OpenTimelineIO."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from visfeat.shots.detect import Shot, VideoShots
from visfeat.shots.run import Failure

COLUMNS = ("uri", "start_s", "end_s", "start_frame", "end_frame", "probability")
_DEFAULT_RATE = Fraction(25)
"""Where a video's header names none."""

Results = Sequence[VideoShots | Failure]


def rows(results: Results) -> Iterator[dict[str, Any]]:
    """One row of ``COLUMNS`` a shot."""
    for found in _videos(results):
        for shot in found.shots:
            yield {"uri": found.item.uri, **_plain(shot)}


def as_json(results: Results) -> str:
    """A list with an object a file: its shots, or the reason why there are none."""
    return json.dumps([_entry(found) for found in results])


def as_csv(results: Results) -> str:
    """A header and a line a shot."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(results))
    return text.getvalue().rstrip("\n")


def as_edl(results: Results) -> str:
    """An edit decision list that plays all shots in a row: CMX 3600, timecode without dropped frames.

    Frames are counted at each video's own rate, rounded to a whole one, as timecode does.
    """
    lines = ["TITLE: shots", "FCM: NON-DROP FRAME", ""]
    number, at = 0, 0
    for found in _videos(results):
        rate = found.average_fps or _DEFAULT_RATE
        for shot in found.shots:
            number += 1
            first, end = round(shot.start_s * rate), round(shot.end_s * rate)
            span = (first, end, at, at + end - first)
            at += end - first
            lines.append(f"{number:03d}  AX       V     C        " + " ".join(_timecode(n, rate) for n in span))
            lines.append(f"* FROM CLIP NAME: {_name(found)}")
    return "\n".join(lines)


def as_otio(results: Results) -> str:
    """An OpenTimelineIO timeline (schemas Timeline.1, Track.1, Clip.2) whose one track has a clip a shot."""
    clips = [_clip(found, shot) for found in _videos(results) for shot in found.shots]
    track = _schema("Track.1", "shots", kind="Video", source_range=None, effects=[], markers=[], children=clips)
    stack = _schema("Stack.1", "tracks", source_range=None, effects=[], markers=[], children=[track])
    return json.dumps(_schema("Timeline.1", "shots", global_start_time=None, tracks=stack), indent=2)


FORMATS: Mapping[str, Callable[[Results], str]] = {"json": as_json, "csv": as_csv, "edl": as_edl, "otio": as_otio}


def _videos(results: Results) -> Iterator[VideoShots]:
    return (found for found in results if isinstance(found, VideoShots))


def _plain(shot: Shot) -> dict[str, Any]:
    return {
        "start_s": float(shot.start_s),
        "end_s": float(shot.end_s),
        "start_frame": shot.start_frame,
        "end_frame": shot.end_frame,
        "probability": shot.probability,
    }


def _entry(found: VideoShots | Failure) -> dict[str, Any]:
    if isinstance(found, Failure):
        return {"uri": found.uri, "status": "failed", "reason": found.reason, "shots": []}
    return {
        "uri": found.item.uri,
        "status": "partial" if found.problem else "done",
        "reason": found.problem,
        "content_hash": found.item.content_hash,
        "shots": [_plain(shot) for shot in found.shots],
    }


def _name(found: VideoShots) -> str:
    return os.path.basename(found.item.path)


def _timecode(frames: int, rate: Fraction) -> str:
    base = max(1, round(rate))
    seconds, rest = divmod(frames, base)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{rest:02d}"


def _clip(found: VideoShots, shot: Shot) -> dict[str, Any]:
    rate = found.average_fps or _DEFAULT_RATE
    media = _schema(
        "ExternalReference.1",
        "",
        target_url=Path(found.item.path).as_uri(),
        available_range=_range(found.shots[0].start_s, found.shots[-1].end_s, rate),
    )
    return _schema(
        "Clip.2",
        f"{_name(found)} {shot.start_frame}",
        source_range=_range(shot.start_s, shot.end_s, rate),
        effects=[],
        markers=[],
        media_references={"DEFAULT_MEDIA": media},
        active_media_reference_key="DEFAULT_MEDIA",
    )


def _range(start_s: Fraction, end_s: Fraction, rate: Fraction) -> dict[str, Any]:
    start, duration = (
        {"OTIO_SCHEMA": "RationalTime.1", "rate": float(rate), "value": float(time_s * rate)}
        for time_s in (start_s, end_s - start_s)
    )
    return {"OTIO_SCHEMA": "TimeRange.1", "start_time": start, "duration": duration}


def _schema(schema: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"OTIO_SCHEMA": schema, "name": name, "metadata": {}, **fields}
