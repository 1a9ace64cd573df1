"""3D networks beside a torch loop over the same decoded clips, and what overlapping clips cost.

    python -m benchmarks.clips [--seconds 20] [--repetitions 5] [--results DIR]

Both sides start from the same frames in memory, at the network's own rate. Measured are clips per second from decoded
frames to features, and of the network alone; the peer takes the batch size (1, 4) that suits it best. Each figure comes
from a process of its own, the sides taking turns, so that a machine that slows down slows both; the ratio's spread is
that of its repetitions. At the end the features of both are compared: they must be the same work. Then clips that
overlap by three quarters: each frame is decoded and prepared once.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks.child import ROOT, measure
from benchmarks.decoded_clips import clip_spec
from benchmarks.machine import describe_machine, warn_if_busy
from benchmarks.made_videos import Made, make
from visfeat.decode import DecodeOptions, open_decoder
from visfeat.extraction.inputs import FramePreparer, InputAssembler
from visfeat.frames import Frame
from visfeat.media import MediaItem, identify, uri_of
from visfeat.preprocess import Preprocessor
from visfeat.recipe import Recipe

OWN, PEER = "benchmarks.own_clips", "benchmarks.peer_clips"
WANTED = {"torchvision/r3d_18": 1.2, "torchvision/r2plus1d_18": 1.5}
BATCH_SIZES = (1, 4)
PHASES = ("after_decode", "network")
SAME_COSINE = 0.999


@dataclass(frozen=True)
class Report:
    """The figures of one network: clips per second by phase, one a repetition."""

    model: str
    clips: int
    peer_batch_size: int
    own: dict[str, list[float]] = field(default_factory=lambda: {phase: [] for phase in PHASES})
    peer: dict[str, list[float]] = field(default_factory=lambda: {phase: [] for phase in PHASES})
    cosine_min: float = 1.0

    def ratios(self, phase: str) -> list[float]:
        """Visfeat's speed over the peer's."""
        return [own / peer for own, peer in zip(self.own[phase], self.peer[phase], strict=True)]


@dataclass(frozen=True)
class Overlap:
    """What it takes to make clips of a video ``stride`` frames apart, without a network."""

    stride: int
    clips: int
    decoded: int
    prepared: int
    seconds: float


def compare(video: Path, model: str, repetitions: int) -> Report:
    """Both sides by turns."""
    choosing = {size: measure(PEER, video, model, "--batch-size", size)["after_decode_s"] for size in BATCH_SIZES}
    best = min(choosing, key=lambda size: choosing[size])
    with tempfile.TemporaryDirectory(prefix="visfeat-clips-") as name:
        mine, theirs = Path(name) / "mine.npy", Path(name) / "theirs.npy"
        first = measure(OWN, video, model, "--save", mine)  # packs the network, the first time
        measure(PEER, video, model, "--batch-size", best, "--save", theirs)
        cosines = _cosines(np.load(mine), np.load(theirs))
    report = Report(model, int(first["clips"]), best, cosine_min=float(cosines.min()))
    for _ in range(repetitions):
        for side, arguments in ((report.own, (OWN, video, model)), (report.peer, (PEER, video, model))):
            extra = ("--batch-size", best) if side is report.peer else ()
            result = measure(*arguments, *extra)
            for phase in PHASES:
                side[phase].append(result["clips"] / result[f"{phase}_s"])
    return report


def _cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return found


class CountingPreparer(FramePreparer):
    """Counts the frames that are resized."""

    prepared = 0

    def __call__(self, frame: Frame) -> NDArray[np.uint8]:
        """As FramePreparer does."""
        self.prepared += 1
        return super().__call__(frame)


def overlap(video: Path, stride: int) -> Overlap:
    """Decode a video into clips of r3d_18 and count."""
    spec = clip_spec("r3d_18")
    recipe = Recipe(clip=spec.clip_frames, stride=stride, clip_fps=spec.clip_fps, tail="drop")
    preparer = CountingPreparer(Preprocessor(spec))
    assembler = InputAssembler(recipe, preparer)
    item, content = identify(MediaItem(uri_of(video), 0, 0))
    decoded = clips = 0
    start = time.perf_counter()
    with closing(open_decoder(item, content, DecodeOptions())) as decoder:
        for frame in decoder.frames():
            decoded += 1
            clips += sum(1 for _ in assembler.feed(frame))
        clips += sum(1 for _ in assembler.finish())
    return Overlap(stride, clips, decoded, preparer.prepared, time.perf_counter() - start)


def show(report: Report) -> bool:
    """Print a network's figures; True where the ratio from decoded frames to features is the wanted one."""
    print(f"{report.model}: {report.clips} clips, peer with batches of {report.peer_batch_size}, "
          f"cosine of features at least {report.cosine_min:.6f}")  # fmt: skip
    for phase in PHASES:
        ratios = report.ratios(phase)
        print(
            f"  {phase.replace('_', ' '):>12}: visfeat {median(report.own[phase]):5.2f} clips/s, torch "
            f"{median(report.peer[phase]):5.2f}, ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    return median(report.ratios("after_decode")) >= WANTED[report.model] and report.cosine_min >= SAME_COSINE


def main() -> int:
    """Measure and print; 1 where a ratio is less than wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20, help="of video")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=list(WANTED), choices=list(WANTED))
    parser.add_argument("--results", type=Path)
    options = parser.parse_args()
    warn_if_busy()
    video = make(Made("25", options.seconds), ROOT / "build" / "videos")
    reports = [compare(video, model, options.repetitions) for model in options.models]
    good = [show(report) for report in reports]
    overlaps = [overlap(video, stride) for stride in (16, 4, 16, 4)][2:]
    for each in overlaps:
        print(f"stride {each.stride:>2}: {each.clips} clips of {each.decoded} decoded and {each.prepared} prepared "
              f"frames in {each.seconds:.2f} s")  # fmt: skip
    if options.results:
        name = f"clips_{datetime.now(UTC):%Y-%m-%dT%H%M%S}.json"
        data = {"machine": describe_machine(), "networks": [asdict(each) for each in reports]}
        (options.results / name).write_text(
            json.dumps(data | {"overlap": [asdict(each) for each in overlaps]}, indent=1)
        )
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
