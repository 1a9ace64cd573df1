"""The demo: sample media, their features, and the nearest neighbors of one image and of one moment of a video."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from visfeat.extraction.run import Run, extract
from visfeat.media.item import uri_of
from visfeat.samples import write_samples
from visfeat.search import Neighbor, neighbors
from visfeat.show.contact_sheet import save_contact_sheet, tiles
from visfeat.store.feature_store import FeatureStore, open_store

IMAGE = "cat.png"
VIDEO, AT_S = "bigbuckbunny_2.mp4", 2.0
_NEIGHBORS = 7


@dataclass(frozen=True, slots=True)
class Query:
    """One query of the demo with what was found: ``sheet`` is a PNG."""

    uri: str
    at_s: float | None
    neighbors: list[Neighbor]
    sheet: Path


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo did."""

    run: Run
    queries: tuple[Query, ...]


def run_demo(folder: str | os.PathLike[str], *, report: Callable[[str], None] = lambda _: None) -> DemoResult:
    """Write the samples to ``folder/media``, extract them into ``folder/features.vf`` and search.

    ``report`` is given lines for people: the summary, and each query's neighbors as a table. The contact sheets are
    ``folder/neighbors_of_image.png`` and ``folder/neighbors_of_moment.png``. Raises MissingExtra where the sample
    media are not installed, and what ``extract`` raises.
    """
    base = Path(folder).absolute()
    media, store = base / "media", base / "features.vf"
    report(f"writing the sample media to {_short(media)}")
    write_samples(media)
    run = extract([media], store=store, report=report)
    report(run.summary)
    opened = open_store(store)
    queries = (
        _ask(opened, uri_of(media / IMAGE), None, base / "neighbors_of_image.png", report),
        _ask(opened, uri_of(media / VIDEO), AT_S, base / "neighbors_of_moment.png", report),
    )
    return DemoResult(run, queries)


def _ask(store: FeatureStore, uri: str, at_s: float | None, sheet: Path, report: Callable[[str], None]) -> Query:
    found = neighbors(store, uri, at_s=at_s, k=_NEIGHBORS, other_items=True)
    subject = _name(uri) if at_s is None else f"{_name(uri)} at {at_s:g} s"
    title = f"Nearest neighbors of {subject}"
    save_contact_sheet(sheet, tiles(uri, at_s, found), title=title)
    report("")
    report(title)
    for line in table(found):
        report(line)
    report(f"as a picture: {_short(sheet)}")
    return Query(uri, at_s, found, sheet)


def table(found: Sequence[Neighbor]) -> list[str]:
    """Neighbors as lines of aligned columns: score, time, file name."""
    lines = ["  score     time  file"]
    for one in found:
        time = "" if one.start_s is None else f"{one.start_s:.2f} s"
        lines.append(f"  {one.score:5.3f}  {time:>7}  {_name(one.uri)}")
    return lines


def _name(uri: str) -> str:
    return os.path.basename(uri)


def _short(path: Path) -> str:
    """A path as one would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
