"""Detecting the shots of many videos: what cannot be read is told with its reason, and the others go on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from visfeat.errors import MediaError, UnsupportedMedia, UsageError
from visfeat.media.find import find_media
from visfeat.media.item import Kind, uri_of
from visfeat.media.read import identify
from visfeat.shots.detect import THRESHOLD, VideoShots, check_threshold, shots_of_item
from visfeat.shots.transnetv2 import ShotDetector
from visfeat.store.shots import ShotTable


@dataclass(frozen=True, slots=True)
class Failure:
    """A file whose shots are not known, and why."""

    uri: str
    reason: str


def find_shots(
    sources: Sequence[str | os.PathLike[str]],
    *,
    threshold: float = THRESHOLD,
    stream: int | None = None,
    store: str | Path | None = None,
) -> Iterator[VideoShots | Failure]:
    """The shots of every video of the sources, as ``media.find_media`` takes them, one at a time.

    In folders, what is no video is passed over; named as a source it is a Failure. ``store``: a folder whose table of
    shots is written. Raises UsageError before the first video, StoreError, ModelError.
    """
    check_threshold(threshold)
    if store is not None and stream is not None:
        raise UsageError(f"--stream {stream}: --store keeps the shots of the best stream alone; leave one of them out")
    items = find_media(sources)
    named = {uri_of(source) for source in sources}
    table = None if store is None else ShotTable.create_or_open(store)
    detector = ShotDetector()
    for item in items:
        read = item
        try:
            read, _ = identify(item)
            found = shots_of_item(read, detector, threshold=threshold, stream=stream)
        except MediaError as error:
            if isinstance(error, UnsupportedMedia) and read.kind is not Kind.VIDEO and item.uri not in named:
                continue
            yield Failure(item.uri, str(error))
            continue
        if table is not None:
            table.replace(found.item.content_hash, found.shots, threshold=threshold, model_digest=detector.digest)
        yield found
