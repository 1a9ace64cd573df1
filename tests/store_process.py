"""A process that fills a store item by item and commits after each; a test runs it, and kills it.

    python store_process.py STORE FIRST STOP

writes the items [FIRST, STOP) of the made corpus that are not complete yet, and prints a line after each commit.
"""

from __future__ import annotations

import sys

from store_made import LAYER, RECIPE, done, item_of, rows_for, writer_of
from visfeat.media.item import Kind
from visfeat.store.feature_store import FeatureStore


def fill(path: str, first: int, stop: int) -> None:
    store = FeatureStore.create_or_open(path)
    complete, known = store.outcomes(RECIPE.digest), store.known_items()
    with writer_of(store, RECIPE, (LAYER,)) as writer:
        for number in range(first, stop):
            item = item_of(f"/video{number:03d}.mp4", kind=Kind.VIDEO)
            if item.content_hash in complete:
                if item.uri not in known:  # a kill came between the content's outcome and the item
                    writer.note(done(item))
                continue
            length = 1 + number % 4
            for position in range(length):
                writer.add(rows_for(item, [position]))
                if number % 2:  # of every other item, a kill may leave some rows
                    writer.commit()
            writer.finish(done(item), length)
            writer.commit()
            print(number, flush=True)


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
