"""Training beside the usual ways: the loop beside one written by hand, the input beside ImageFolder and DataLoader.

    python -m benchmarks.training [--pictures 400] [--steps 300]

Everything in one process and one run, each pair in turns, the best of three: the ratios count.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from benchmarks.machine import describe_machine, warn_if_busy
from visfeat.card import InputSpec
from visfeat.samples import write_samples
from visfeat.train.batches import Batches
from visfeat.train.data.loading import load_samples
from visfeat.train.data.pixels import ArrayPixels
from visfeat.train.loop import fit
from visfeat.train.models.cnn import Cnn
from visfeat.train.module import Classifier
from visfeat.train.settings import Settings

BATCH, CLASSES, ROUNDS = 64, 10, 3
SPEC = InputSpec(size_px=(28, 28), resize_px=28, mean=(0.5,) * 3, std=(0.5,) * 3)
PHOTO_SPEC = InputSpec(size_px=(224, 224), resize_px=256, interpolation="bilinear", mean=(0.5,) * 3, std=(0.5,) * 3)


def made_batches(steps: int) -> Batches:
    """Random pictures of 28 x 28 pixels, shuffled, ``steps`` batches of them."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (steps * BATCH, 1, 28, 28, 3), dtype=np.uint8)
    targets = random.integers(0, CLASSES, len(pixels))
    batches = Batches(ArrayPixels(pixels), targets, np.arange(len(pixels)), BATCH)
    batches.at_step(lambda: 0)
    return batches


def by_hand(steps: int) -> float:
    """Steps a second of the loop that everybody writes."""
    batches, module = made_batches(steps), Classifier(Cnn(CLASSES), SPEC, Settings(), classes=CLASSES, steps=steps)
    optimizer = torch.optim.AdamW(module.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps + 1)
    started = time.perf_counter()
    for pixels, targets in batches:
        loss = nn.functional.cross_entropy(module(pixels), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return steps / (time.perf_counter() - started)


def by_lightning(steps: int) -> float:
    """Steps a second of ``visfeat train``'s loop: first of its own to its last, checkpoint included."""
    settings = Settings(epochs=1, batch_size=BATCH, logger=("csv",), device="cpu")
    module = Classifier(Cnn(CLASSES), SPEC, settings, classes=CLASSES, steps=steps)
    times: list[float] = []
    batches = made_batches(steps)
    begin = module.on_train_batch_start

    def first(*given: object) -> None:
        times.append(time.perf_counter())
        begin(*given)  # type: ignore[arg-type]

    module.on_train_batch_start = first  # type: ignore[method-assign, assignment]
    with tempfile.TemporaryDirectory() as folder:
        fit(module, batches, None, settings, Path(folder))
        return steps / (time.perf_counter() - times[0])


def photo_folder(folder: Path, number: int) -> Path:
    """Two classes of JPEGs of about 500 x 375 pixels, cut out of the sample photographs."""
    write_samples(folder / "samples")
    sources = [Image.open(folder / "samples" / name).convert("RGB") for name in ("cat.png", "coffee.png", "rocket.jpg")]
    random = np.random.default_rng(0)
    for n in range(number):
        source = sources[n % len(sources)].resize((720, 540))
        left, top = int(random.integers(0, 220)), int(random.integers(0, 165))
        part = folder / "photos" / "ab"[n % 2]
        part.mkdir(parents=True, exist_ok=True)
        source.crop((left, top, left + 500, top + 375)).save(part / f"{n:05}.jpg", quality=90)
    return folder / "photos"


def by_image_folder(photos: Path, workers: int) -> float:
    """Pictures a second of the usual input: Pillow, torchvision's transforms, worker processes."""
    transform = v2.Compose([v2.Resize(256), v2.CenterCrop(224), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    loader = DataLoader(ImageFolder(str(photos), transform), batch_size=BATCH, num_workers=workers)
    started = time.perf_counter()
    seen = sum(len(pixels) for pixels, _ in loader)
    return seen / (time.perf_counter() - started)


def by_visfeat(photos: Path) -> float:
    """Pictures a second of the first epoch: found, hashed, decoded, resized, split, and handed on in batches."""
    started = time.perf_counter()
    settings = Settings(data=(str(photos),), cache="ram")
    samples = load_samples(settings, PHOTO_SPEC, photos.parent / "cache")
    batches = Batches(samples.pixels, samples.targets(), np.arange(len(samples.pixels)), BATCH)
    seen = sum(len(pixels) for pixels, _ in batches)
    return seen / (time.perf_counter() - started)


def best(*ways: Callable[[], float]) -> list[float]:
    """The best of each way, taken in turns."""
    return [max(column) for column in zip(*[[way() for way in ways] for _ in range(ROUNDS)], strict=True)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure training.")
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    print(describe_machine())
    warn_if_busy()
    hand, lightning = best(lambda: by_hand(given.steps), lambda: by_lightning(given.steps))
    print(f"loop: by hand {hand:.1f} steps/s, visfeat train {lightning:.1f}, ratio {lightning / hand:.2f}")
    with tempfile.TemporaryDirectory() as scratch:
        photos = photo_folder(Path(scratch), given.pictures)
        usual, ours = best(lambda: by_image_folder(photos, given.workers), lambda: by_visfeat(photos))
    print(f"input: ImageFolder + DataLoader {usual:.0f} pictures/s, visfeat {ours:.0f}, ratio {ours / usual:.2f}")
