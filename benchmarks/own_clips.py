"""visfeat's own part of the benchmark of clips: decoded frames to features.

    python -m benchmarks.own_clips VIDEO torchvision/r3d_18

Prints one JSON object: the number of clips, seconds from decoded frames to pooled vectors (sampling, resizing,
gathering, the network), and seconds of the network alone over the same clips, both after a pass that is not counted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.decoded_clips import sampled_frames
from visfeat.engine.prepare import Prepared, prepare
from visfeat.extraction.inputs import InputAssembler, NetworkInput
from visfeat.extraction.vectors import vectors_of
from visfeat.frames import Frame
from visfeat.recipe import Recipe


def inputs(prepared: Prepared, frames: list[Frame]) -> Iterator[NetworkInput]:
    """Clips of the decoded frames."""
    assembler = InputAssembler(prepared.recipe, prepared.preprocessor)
    for frame in frames:
        yield from assembler.feed(frame)
    yield from assembler.finish()


def features(prepared: Prepared, clips: Iterable[NetworkInput]) -> NDArray[np.floating[Any]]:
    """Pooled vectors of the clips, in full batches."""
    size = prepared.network.batch_size
    counts: list[int] = []

    def batches() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        waiting: list[NDArray[np.uint8]] = []
        for clip in clips:
            waiting.append(clip.pixels)
            if len(waiting) == size:
                counts.append(size)
                yield len(counts), np.concatenate(waiting)
                waiting = []
        if waiting:
            counts.append(len(waiting))
            blank = np.zeros_like(waiting[0])
            yield len(counts), np.concatenate([*waiting, *[blank] * (size - len(waiting))])

    found = {tag: vectors_of(outputs, prepared) for tag, outputs in prepared.network.stream(batches())}
    (layer,) = prepared.row_shapes
    return np.concatenate([found[tag].values[layer][:rows] for tag, rows in enumerate(counts, start=1)])


def main() -> int:
    """Measure both and print the seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("video", type=Path)
    parser.add_argument("model")
    parser.add_argument("--save", type=Path)
    parser.add_argument("--started-at", type=float, default=0.0, help="not used here")
    options = parser.parse_args()
    prepared = prepare(Recipe(model=options.model, weights="random:0", tail="drop"))
    frames = sampled_frames(options.video, prepared.preprocessor.spec)
    clips = list(inputs(prepared, frames))
    values = features(prepared, clips)
    start = time.perf_counter()
    features(prepared, inputs(prepared, frames))
    after_decode_s = time.perf_counter() - start
    start = time.perf_counter()
    features(prepared, clips)
    network_s = time.perf_counter() - start
    if options.save:
        np.save(options.save, values)
    print(json.dumps({"clips": len(clips), "after_decode_s": after_decode_s, "network_s": network_s}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
