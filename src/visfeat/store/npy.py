"""npy: the vectors of a space as one NumPy array, with the names of its rows and its recipe beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visfeat.store.csv import described_parts, write_csv
from visfeat.store.exporter import stem_of, whole_file
from visfeat.store.reading import SpaceReader
from visfeat.store.selection import Space

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore


class NpyExporter:
    """Writes ``STEM.npy`` (float32 ``(N, *shape)``), ``STEM.csv`` (line n + 1 names row n) and ``STEM.toml``."""

    def export(
        self,
        store: FeatureStore,
        out: Path,
        *,
        model: str | None = None,
        layer: str | None = None,
        recipe: str | None = None,
    ) -> list[Path]:
        """See ``Exporter.export``."""
        spaces = store.spaces(model, layer, recipe)
        return [path for space in spaces for path in self._export_one(store.read_space(space), out, space)]

    def _export_one(self, reader: SpaceReader, out: Path, space: Space) -> list[Path]:
        stem = stem_of(space)
        array, recipe = out / f"{stem}.npy", out / f"{stem}.toml"
        _write_array(array, reader, space)
        names = write_csv(out / f"{stem}.csv", described_parts(reader))
        with whole_file(recipe) as scratch:
            scratch.write_text(space.stored.recipe.to_toml(), "utf-8")
        return [array, names, recipe]


def _write_array(path: Path, reader: SpaceReader, space: Space) -> None:
    """Write the header, then one batch after the other: any number of rows in flat memory."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(reader), *space.layer.shape)}
    with whole_file(path) as scratch, scratch.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for values, _ in reader.batches():
            file.write(np.ascontiguousarray(values, "<f4").data)
