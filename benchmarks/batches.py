"""Images a second of the bundled network alone by batch size, the sizes taking turns.

python -m benchmarks.batches
"""

from __future__ import annotations

import sys
import time
from statistics import median

import numpy as np

from benchmarks.machine import describe_machine, warn_if_busy
from visfeat.engine.network import NetworkOptions
from visfeat.engine.openvino import OpenvinoEngine
from visfeat.models.registry import load_model

SIZES, IMAGES, REPETITIONS = (1, 2, 4, 8, 16, 32), 256, 5


def main() -> int:
    """Measure and print the median of each size and its ratio to batches of 16."""
    warn_if_busy()
    model = load_model("bundled/efficientnet_lite0")
    options = {"layers": (model.card.default_layer,), "input": model.card.input}
    networks = {size: OpenvinoEngine().compile(model, NetworkOptions(**options, batch_size=size)) for size in SIZES}
    per_s: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(REPETITIONS):
        for size, network in networks.items():
            batch = np.random.default_rng(0).integers(0, 256, (size, 1, 224, 224, 3), dtype=np.uint8)
            start = time.perf_counter()
            for _ in network.stream((number, batch) for number in range(IMAGES // size)):
                pass
            per_s[size].append(IMAGES / (time.perf_counter() - start))
    print(describe_machine()["cpu"])
    for size in SIZES:
        ratio = median(one / other for one, other in zip(per_s[size], per_s[16], strict=True))
        print(f"batches of {size:>2}: {median(per_s[size]):6.1f} images/s, {ratio:.2f} of batches of 16")
    return 0


if __name__ == "__main__":
    sys.exit(main())
