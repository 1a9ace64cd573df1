"""The peer of the image benchmark: timm, its own transform and a DataLoader, as its documentation has it.

    python -m benchmarks.peer_timm FOLDER --workers 2 --batch-size 32

Eager float32, ``torch.inference_mode``, Pillow decoding. The weights are those of visfeat's bundled model. Prints one
JSON object: seconds from the start of the process to the last feature, and seconds of a second pass with all loaded.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import timm.data
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from scripts.pack_bundled import lite0


class Pictures(Dataset[Tensor]):
    """JPEG files through timm's own evaluation transform: float32 ``(3, 224, 224)`` each."""

    def __init__(self, paths: list[Path], model: nn.Module) -> None:
        self.paths = paths
        self.transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self.paths[index]) as image:
            picture: Tensor = self.transform(image.convert("RGB"))
        return picture


def pooled_features(model: nn.Module, loader: DataLoader[Tensor]) -> NDArray[np.float32]:
    """Features float32 ``(N, 1280)`` of all pictures, in order."""
    with torch.inference_mode():
        return np.concatenate([model(batch).numpy() for batch in loader])


def main() -> int:
    """Run twice over the folder and print the seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--started-at", type=float, default=time.time())
    parser.add_argument("--first", type=int, help="only so many pictures")
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    model = lite0()
    model.reset_classifier(0)  # type: ignore[operator]
    data = Pictures(sorted(options.folder.rglob("*.jp*g"))[: options.first], model)
    loader = DataLoader(data, batch_size=options.batch_size, num_workers=options.workers)
    values = pooled_features(model, loader)
    seconds = {"images": len(values), "fresh_s": time.time() - options.started_at}
    start = time.perf_counter()
    pooled_features(model, loader)
    seconds["warm_s"] = time.perf_counter() - start
    if options.save:
        np.savez(options.save, names=[path.name for path in data.paths], values=values)
    print(json.dumps(seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
