"""How long a store takes to answer: opening it, the first question, and those after it; with and without an index.

    python -m benchmarks.search_store [--rows 10000] [--width 512] [--index]

The rows are those of as many images, clustered as features are; questions are drawn like them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import warn_if_busy
from benchmarks.search_data import vectors
from visfeat.frames import StreamInfo
from visfeat.media.item import Kind, MediaItem
from visfeat.recipe import Recipe
from visfeat.search.indexed import IndexedRows
from visfeat.search.questions import Asking
from visfeat.search.searcher import Searcher
from visfeat.search.stored_index import build_stored_index
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import ItemRecord, LayerShape, Rows, Status

QUESTIONS = 50
K = 20


def main() -> int:
    """Make a store, ask it, print milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--index", action="store_true")
    options = parser.parse_args()
    warn_if_busy()
    with tempfile.TemporaryDirectory(prefix="visfeat-store-") as scratch:
        store = make(Path(scratch) / "s.vf", options.rows, options.width)
        if options.index:
            built = build_stored_index(store)
            print(f"index: {built.seconds:.1f} s, {built.size_bytes / 2**20:.0f} MB, recall@10 {built.recall:.3f}")
        times_ms = asked(store, vectors("clustered", QUESTIONS, options.width, seed=1, among=options.rows))
    print(f"{options.rows} x {options.width}: open {times_ms[0]:.0f} ms, first answer {times_ms[1]:.1f} ms, then "
          f"{np.median(times_ms[2:]):.1f} ms (95%: {np.percentile(times_ms[2:], 95):.1f} ms)")  # fmt: skip
    return 0


def make(path: Path, rows: int, width: int) -> FeatureStore:
    """A store of that many images with a row each."""
    store = FeatureStore.create_or_open(path)
    recipe = Recipe(model="made/vectors", weights_digest="0", layers=("pool",))
    values = vectors("clustered", rows, width, seed=0, among=rows)
    nothing, no_frame = np.full(1, np.nan), np.full(1, -1)
    with store.writer(recipe, layers=[LayerShape("pool", (width,))], facts={}, card_toml="") as writer:
        for number in range(rows):
            item = MediaItem(f"/made/{number:07}.jpg", 1, 1, Kind.IMAGE, "jpeg", f"{number:032x}")
            writer.add(Rows(item.content_hash, "pool", 0, values[number : number + 1], nothing, nothing, no_frame))
            writer.finish(ItemRecord(item, StreamInfo(height=1, width=1), Status.DONE), 1)
    return store


def asked(store: FeatureStore, questions: np.ndarray) -> list[float]:
    """Milliseconds of opening, then of each question from its vector to the answers with their names."""
    times_s = [time.perf_counter()]
    reader = store.reader()
    searcher = Searcher(reader, indexed=IndexedRows.of(store.path, reader))
    times_s.append(time.perf_counter())
    for vector in questions:
        asking = Asking(store, reader)
        asking.vector(vector)
        searcher.search(asking.question(), K)
        times_s.append(time.perf_counter())
    return [1000 * float(step) for step in np.diff(times_s)]


if __name__ == "__main__":
    sys.exit(main())
