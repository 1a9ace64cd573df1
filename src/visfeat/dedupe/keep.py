"""Which of several that show the same is kept: the largest, the oldest or the sharpest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from visfeat.dedupe.dates import taken_at_s
from visfeat.errors import MediaError, UsageError
from visfeat.show.thumbnail import thumbnail
from visfeat.store.feature_store import FeatureStore

Keep = Literal["largest", "oldest", "sharpest"]
Facts: TypeAlias = dict[str, Any]
"""A row of the store's table of items."""

SHARPNESS_PX = 1024
_LAST = float("inf")


def facts_of(store: FeatureStore, uris: Iterable[str]) -> dict[str, Facts]:
    """What the store knows of these items, by URI."""
    table = store.items().select(["uri", "kind", "width", "height", "size_bytes", "mtime_ns", "duration_s"])
    wanted = pc.is_in(table["uri"], value_set=pa.array(sorted(set(uris)), pa.string()))
    return {row["uri"]: row for row in table.filter(wanted).to_pylist()}


def preferred(items: Iterable[Facts], keep: Keep) -> list[str]:
    """URIs, the one to keep first; the order depends on the items alone. Raises UsageError for another word.

    ``largest``: most pixels, then most bytes. ``oldest``: by EXIF's DateTimeOriginal or the container's creation time;
    what has neither comes after those, by the file's time. ``sharpest``: by ``sharpness``. What is still equal goes by
    pixels, bytes, the file's time and the URI.
    """
    if keep not in get_args(Keep):
        raise UsageError(f"--keep {keep}: there are {', '.join(get_args(Keep))}")
    return [item["uri"] for item in sorted(items, key=lambda item: (_first(item, keep), *_size(item)))]


def _first(item: Facts, keep: Keep) -> float:
    """What counts before size, the smaller the better."""
    if keep == "oldest":
        said = taken_at_s(item["uri"], item["kind"])
        return _LAST if said is None else said
    if keep == "sharpest":
        return -sharpness(item)
    return 0.0


def _size(item: Facts) -> tuple[float, int, int, str]:
    pixels = (item["width"] or 0) * (item["height"] or 0)
    return (-pixels, -(item["size_bytes"] or 0), item["mtime_ns"] or 0, item["uri"])


def sharpness(item: Facts) -> float:
    """The variance of the Laplacian of the gray picture, of a video of its middle; -1 where it cannot be read.

    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000. At a long side of 1024 px, to which
    smaller ones are enlarged, so that what has fewer pixels counts as blurred. Noise counts as sharpness.
    """
    at_s = None if item["duration_s"] is None else item["duration_s"] / 2
    try:
        picture = thumbnail(item["uri"], at_s, (SHARPNESS_PX, SHARPNESS_PX)).convert("L")
    except MediaError:
        return -1.0
    scale = SHARPNESS_PX / max(picture.size)
    if scale > 1:
        width, height = (max(3, round(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    gray = np.asarray(picture, np.float32)
    around = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:]
    return float((around - 4 * gray[1:-1, 1:-1]).var()) if min(gray.shape) >= 3 else 0.0
