"""The peer of the benchmark of clips: torchvision's network and its own transform in a loop, in eager float32.

    python -m benchmarks.peer_clips VIDEO torchvision/r3d_18 --batch-size 4

Prints one JSON object: the number of clips, seconds from decoded frames to features (transform and network), and
seconds of the network alone over the same clips, both after a pass that is not counted.
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
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision import models

from benchmarks.decoded_clips import clip_spec, sampled_frames


def network(name: str) -> tuple[nn.Module, Any]:
    """The module without its classes, and its transform."""
    torch.manual_seed(0)
    module = models.get_model(name, weights=None).eval()
    module.fc = nn.Identity()
    return module, models.get_model_weights(name).DEFAULT.transforms()


def batched(clips: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    """float32 ``(B, 3, T, H, W)``; the last batch may be smaller."""
    waiting: list[Tensor] = []
    for clip in clips:
        waiting.append(clip)
        if len(waiting) == size:
            yield torch.stack(waiting)
            waiting = []
    if waiting:
        yield torch.stack(waiting)


def features(module: nn.Module, clips: Iterable[Tensor], size: int) -> NDArray[np.float32]:
    """Features float32 ``(N, D)`` of transformed clips."""
    with torch.inference_mode():
        return np.concatenate([module(batch).numpy() for batch in batched(clips, size)])


def main() -> int:
    """Measure both and print the seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("video", type=Path)
    parser.add_argument("model")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--started-at", type=float, default=0.0, help="not used here")
    options = parser.parse_args()
    name = options.model.removeprefix("torchvision/")
    (module, transform), spec = network(name), clip_spec(name)
    pixels = np.stack([frame.rgb() for frame in sampled_frames(options.video, spec)])
    frames = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    starts = range(0, len(frames) - spec.clip_frames + 1, spec.clip_frames)

    def clips() -> Iterator[Tensor]:
        return (transform(frames[start : start + spec.clip_frames]) for start in starts)

    ready = list(clips())
    values = features(module, ready, options.batch_size)
    start_s = time.perf_counter()
    features(module, clips(), options.batch_size)
    after_decode_s = time.perf_counter() - start_s
    start_s = time.perf_counter()
    features(module, ready, options.batch_size)
    network_s = time.perf_counter() - start_s
    if options.save:
        np.save(options.save, values)
    print(json.dumps({"clips": len(ready), "after_decode_s": after_decode_s, "network_s": network_s}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
