"""How fast these cores could be: ``1 / (CPU seconds of decoding and resizing / cores + seconds of the model alone)``.

    python -m benchmarks.limit FOLDER

Both parts are measured on their own: decoding and resizing in one thread by its CPU time, the model on random pixels
with all cores. Prints one JSON object with seconds per image.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.open import open_decoder
from visfeat.engine.cpu import cores
from visfeat.engine.prepare import Prepared, prepare
from visfeat.frames import FrameBatch
from visfeat.media.find import find_media
from visfeat.media.read import identify
from visfeat.recipe import Recipe

MODEL_BATCHES = 40


def decode_cpu_s(prepared: Prepared, folder: Path) -> float:
    """CPU seconds per image of reading, hashing, decoding and resizing."""
    preprocess = prepared.preprocessor
    options = DecodeOptions(reducible_to_px=preprocess.reducible_to_px)
    items = list(find_media([folder]))
    start = time.process_time()
    for found in items:
        item, content = identify(found)
        decoder = open_decoder(item, content, options)
        for frame in decoder.frames():
            preprocess(FrameBatch.of(frame))
        decoder.close()
    return (time.process_time() - start) / len(items)


def model_s(prepared: Prepared) -> float:
    """Seconds per image of the network alone, all cores at work; the first batches warm it up."""
    network = prepared.network
    height, width = prepared.recipe.input_size_px or (224, 224)
    shape = (network.batch_size, 1, height, width, 3)
    batch = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    def batches(number: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        return ((index, batch) for index in range(number))

    for _ in network.stream(batches(5)):
        pass
    start = time.perf_counter()
    for _ in network.stream(batches(MODEL_BATCHES)):
        pass
    return (time.perf_counter() - start) / (MODEL_BATCHES * network.batch_size)


def main() -> int:
    """Measure both parts and print them with the limit."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    prepared = prepare(Recipe())
    decode, model = decode_cpu_s(prepared, options.folder), model_s(prepared)
    limit = 1 / (decode / cores() + model)
    print(json.dumps({"decode_cpu_s": decode, "model_s": model, "images_per_s": limit}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
