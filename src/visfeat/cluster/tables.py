"""Clusters for people and programs: rows of a table, JSON, CSV, sections of a contact sheet."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from visfeat.cluster.run import Cluster, Clustering, Member
from visfeat.errors import StoreError
from visfeat.media.item import path_of
from visfeat.show.contact_sheet import Tile
from visfeat.show.html_sheet import Section
from visfeat.show.thumbnails import with_pictures
from visfeat.store.reading import BATCH_ROWS

COLUMNS = ("cluster", "rows", "items", "exemplars")
CSV_COLUMNS = ("uri", "start_s", "cluster", "distance")
_NAMED = 3


def table_rows(found: Clustering) -> list[tuple[object, ...]]:
    """One row of ``COLUMNS`` a cluster, the first exemplars by name."""
    return [
        (one.number, one.rows, one.items, ", ".join(_named(member) for member in one.exemplars[:_NAMED]))
        for one in found.clusters
    ]


def as_json(found: Clustering) -> list[dict[str, Any]]:
    """One object a cluster: cluster, rows, items, and its exemplars with uri, start_s, end_s and distance."""
    return [
        {
            "cluster": one.number,
            "rows": one.rows,
            "items": one.items,
            "exemplars": [asdict(member) for member in one.exemplars],
        }
        for one in found.clusters
    ]


def save_csv(found: Clustering, path: str | os.PathLike[str]) -> Path:
    """Write uri, start_s, cluster and distance of every row; noise is cluster -1 without a distance.

    Raises StoreError where the file cannot be written.
    """
    target = Path(path)
    try:
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(CSV_COLUMNS)
            writer.writerows(_lines(found))
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def sections(found: Clustering) -> list[Section]:
    """A section a cluster: its exemplars, nearest to the center first."""
    tiles = [Tile(member.uri, member.start_s, _line(member)) for one in found.clusters for member in one.exemplars]
    shown = iter(with_pictures(tiles))
    return [
        Section(f"Cluster {one.number}", [next(shown) for _ in one.exemplars], _sizes(one)) for one in found.clusters
    ]


def title_of(found: Clustering) -> str:
    """Clusters, method and recipe in words."""
    noise = f", {found.noise:,} rows in none" if found.noise else ""
    count = len(found.clusters)
    clusters = "1 cluster" if count == 1 else f"{count} clusters"
    return f"{clusters} by {found.method}{noise}; {found.reader.space.stored.title}, {found.reader.space.layer.layer}"


def _lines(found: Clustering) -> Iterator[tuple[object, ...]]:
    for start in range(0, len(found.label), BATCH_ROWS):
        part = np.arange(start, min(start + BATCH_ROWS, len(found.label)))
        rows = found.reader.metadata_at(part).select(["uri", "start_s"]).to_pylist()
        for row, label, distance in zip(rows, found.label[part].tolist(), found.distance[part].tolist(), strict=True):
            yield row["uri"], row["start_s"], label, "" if np.isnan(distance) else f"{distance:.6f}"


def _named(member: Member) -> str:
    name = os.path.basename(path_of(member.uri)) or member.uri
    return name if member.start_s is None else f"{name} at {member.start_s:.2f} s"


def _line(member: Member) -> str:
    moment = "" if member.start_s is None else f", at {member.start_s:.2f} s"
    return f"distance {member.distance:.3f}{moment}"


def _sizes(one: Cluster) -> str:
    rows = "1 row" if one.rows == 1 else f"{one.rows:,} rows"
    return f"{rows} of {one.items:,} item{'' if one.items == 1 else 's'}"
