"""per_video: one npy file a video, named as tools of that kind name theirs: ``STEM_KEY.npy``.

The features of a preset get the key of its tool, and the files ``STEM_fps.npy`` and ``STEM_timestamps_ms.npy`` where
the tool writes them; those of other recipes get their layer's name. Still images are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visfeat.errors import UsageError
from visfeat.media.item import Kind, path_of
from visfeat.presets import Preset, preset_of
from visfeat.store.exporter import whole_file
from visfeat.store.reading import SpaceReader
from visfeat.store.selection import Space

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore


class PerVideoExporter:
    """Writes float32 ``(N, *shape)`` for each video; for presets also ``fps`` and ``timestamps_ms (N,)``, float64."""

    def export(
        self,
        store: FeatureStore,
        out: Path,
        *,
        model: str | None = None,
        layer: str | None = None,
        recipe: str | None = None,
    ) -> list[Path]:
        """See ``Exporter.export``; raises UsageError where two videos or two recipes would share a file."""
        items = store.items()
        rates = dict(zip(items["uri"].to_pylist(), items["average_fps"].to_pylist(), strict=True))
        spaces = store.spaces(model, layer, recipe)
        paths = _paths(store, spaces, out)
        for space in spaces:
            preset = _preset(space)
            for uri, values, table in _videos(store.read_space(space)):
                for name, array in _arrays(preset, values, table, rates.get(uri)).items():
                    with whole_file(_path(out, uri, name)) as scratch, scratch.open("wb") as file:
                        np.save(file, array)
        return paths


def _path(out: Path, uri: str, name: str) -> Path:
    return out / f"{Path(path_of(uri)).stem}{name}.npy"


def _paths(store: FeatureStore, spaces: Sequence[Space], out: Path) -> list[Path]:
    """All files; raises UsageError, before any is written, where two features would go into one."""
    owners: dict[Path, tuple[str, Space | None]] = {}
    for space in spaces:
        preset = _preset(space)
        for uri in _video_uris(store.read_space(space)):
            for name in _names(preset):
                # Streams of one tool share fps and times.
                owner = (uri, space if name == _suffix(preset.key) else None)
                path = _path(out, uri, name)
                if owners.setdefault(path, owner) != owner:
                    raise UsageError(_clash(path, owners[path], owner))
    return list(owners)


def _clash(path: Path, first: tuple[str, Space | None], second: tuple[str, Space | None]) -> str:
    """What two features want of one file, and what to do."""
    (uri, one), (other_uri, other) = first, second
    if uri != other_uri:
        return f"{path}: {uri} and {other_uri} would both be written there; export them from stores of their own"
    if one is None or other is None or one.stored.digest == other.stored.digest:
        return f"{path}: two layers would be written there; choose by --layer"
    digests = f"{one.stored.digest} and {other.stored.digest}"
    return f"{path}: the recipes {digests} would both be written there; choose by --recipe, as visfeat info names them"


def _preset(space: Space) -> Preset:
    """What the recipe was made of, or for another recipe its layer as a key."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", space.layer.layer)
    return preset_of(space.stored.recipe) or Preset({}, plain)


def _suffix(key: str) -> str:
    return f"_{key}" if key else ""


def _names(preset: Preset) -> tuple[str, ...]:
    """The ends of the files' names of a video."""
    return (_suffix(preset.key), *(("_fps", "_timestamps_ms") if preset.with_times else ()))


def _arrays(preset: Preset, values: NDArray[np.float32], table: pa.Table, fps: str | None) -> dict[str, NDArray[Any]]:
    """What is written for a video: the end of the file's name -> its array."""
    arrays: dict[str, NDArray[Any]] = {_suffix(preset.key): values}
    if preset.with_times:
        times_s = table["end_s" if preset.times_of_ends else "start_s"].to_numpy()
        arrays["_fps"] = np.array(np.nan if fps is None else float(Fraction(fps)))
        arrays["_timestamps_ms"] = 1000.0 * times_s
    return arrays


def _video_uris(reader: SpaceReader) -> list[str]:
    """The videos that have rows."""
    if len(reader) == 0:
        return []
    table = reader.metadata()
    kinds = zip(table["uri"].to_pylist(), table["kind"].to_pylist(), strict=True)
    return list(dict.fromkeys(uri for uri, kind in kinds if kind == Kind.VIDEO))


def _videos(reader: SpaceReader) -> Iterator[tuple[str, NDArray[np.float32], pa.Table]]:
    """URI, vectors and rows of one video after the other."""
    if len(reader) == 0:
        return
    table = reader.metadata()
    uris, kinds = table["uri"].to_pylist(), table["kind"].to_pylist()
    starts = [n for n in range(len(uris)) if n == 0 or uris[n] != uris[n - 1]]
    for start, stop in zip(starts, [*starts[1:], len(uris)], strict=True):
        if kinds[start] == Kind.VIDEO:
            values, rows = reader.rows(start, stop)
            yield uris[start], values, rows
