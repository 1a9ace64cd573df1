"""visfeat end to end beside a timm + DataLoader loop, over the same JPEGs, with the same network and weights.

    python -m benchmarks.images [--folder DIR] [--repetitions 5] [--results DIR]

Measured is images per second of the second pass in a process: libraries imported, model loaded, files in the
system's cache. visfeat's seconds cover all that ``extract`` does: finding, hashing, decoding, resizing, the network,
committing to a fresh store. The peer's cover its DataLoader and the network, in eager float32, with the number of
workers (0, 1, 2) and the batch size (16, 32) that suit it best. Both also report the whole first pass, from the start
of the process. Repetitions alternate, so that a machine that slows down slows both. The limit is what the cores allow
(see limit.py). At the end the features of both are compared: they must be the same work.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.child import ROOT, measure
from benchmarks.corpus import corpus_digest, default_corpus
from benchmarks.machine import describe_machine, warn_if_busy

OWN, PEER, LIMIT = "benchmarks.own_images", "benchmarks.peer_timm", "benchmarks.limit"
WORKERS = (0, 1, 2)
BATCH_SIZES = (16, 32)
CHOOSING = 200
"""How many pictures decide on the peer's setup."""
WANTED_RATIO = 4.0


@dataclass(frozen=True)
class Pass:
    """One process of either side: images per second of its second pass and of its whole first one."""

    warm_per_s: float
    fresh_per_s: float


@dataclass(frozen=True)
class Report:
    """All figures of one run of the benchmark; ``own`` and ``peer`` are in the order of the repetitions."""

    date: str
    machine: dict[str, str]
    images: int
    corpus: str
    peer_setup: str
    own: list[Pass]
    peer: list[Pass]
    limit: dict[str, float]
    cosine_median: float
    cosine_min: float

    @property
    def ratios(self) -> list[float]:
        """Visfeat's speed over the peer's, warm, one a repetition."""
        return [own.warm_per_s / peer.warm_per_s for own, peer in zip(self.own, self.peer, strict=True)]


def choose_peer(folder: Path) -> tuple[int, int]:
    """The number of workers and the batch size with which the peer is fastest on some of the pictures."""
    seconds = {}
    for workers, batch_size in product(WORKERS, BATCH_SIZES):
        arguments = ("--workers", workers, "--batch-size", batch_size, "--first", CHOOSING)
        result = measure(PEER, folder, *arguments)
        seconds[workers, batch_size] = result["warm_s"]
        print(f"  peer, {workers} workers, batches of {batch_size}: {result['images'] / result['warm_s']:.1f} images/s")
    return min(seconds, key=lambda setup: seconds[setup])


def run(folder: Path, repetitions: int) -> Report:
    """Choose the peer's best setup, then measure both sides in turn."""
    paths = sorted(folder.rglob("*.jp*g"))
    machine = describe_machine()
    warn_if_busy()
    workers, batch_size = choose_peer(folder)
    own, peer = [], []
    with tempfile.TemporaryDirectory() as scratch:
        saved = Path(scratch) / "own.npz", Path(scratch) / "peer.npz"
        for number in range(repetitions):
            own.append(_pass(measure(OWN, folder, "--save", saved[0])))
            peer_arguments = ("--workers", workers, "--batch-size", batch_size, "--save", saved[1])
            peer.append(_pass(measure(PEER, folder, *peer_arguments)))
            print(f"  {number + 1}/{repetitions}: {own[-1].warm_per_s:.1f} and {peer[-1].warm_per_s:.1f} images/s")
        cosines = compare(*saved)
    return Report(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        machine=machine,
        images=len(paths),
        corpus=corpus_digest(paths),
        peer_setup=f"{workers} workers, batches of {batch_size}",
        own=own,
        peer=peer,
        limit=measure(LIMIT, folder),
        cosine_median=float(np.median(cosines)),
        cosine_min=float(cosines.min()),
    )


def _pass(result: dict[str, float]) -> Pass:
    return Pass(result["images"] / result["warm_s"], result["images"] / result["fresh_s"])


def compare(own: Path, peer: Path) -> np.ndarray:
    """Cosine ``(N,)`` between the two sides' features of each picture; raises ValueError where the names differ."""
    with np.load(own) as left, np.load(peer) as right:
        if sorted(left["names"]) != sorted(right["names"]):
            raise ValueError("the two sides did not extract the same pictures")
        a, b = left["values"][np.argsort(left["names"])], right["values"][np.argsort(right["names"])]
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / lengths)


def _spread(values: list[float]) -> str:
    return f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def to_markdown(report: Report) -> str:
    """The report as a page: table, limit, comparison, machine."""
    limit = report.limit["images_per_s"]
    decode_ms, model_ms = report.limit["decode_cpu_s"] * 1e3, report.limit["model_s"] * 1e3
    own = [run.warm_per_s for run in report.own]
    rows = [
        ("visfeat, second pass", _spread(own)),
        (f"timm + DataLoader ({report.peer_setup}), second pass", _spread([run.warm_per_s for run in report.peer])),
        ("visfeat, first pass from the start of the process", _spread([run.fresh_per_s for run in report.own])),
        ("timm + DataLoader, likewise", _spread([run.fresh_per_s for run in report.peer])),
        ("limit of these cores", f"{limit:.1f}"),
    ]
    lines = [
        f"# Images, {report.date}",
        "",
        f"{report.images} JPEGs (corpus {report.corpus}), EfficientNet-Lite0 in float32.",
        f"Median (smallest to largest) of {len(own)} repetitions in turn.",
        "",
        "| | images/s |",
        "|---|---|",
        *(f"| {name} | {figure} |" for name, figure in rows),
        "",
        f"Ratio of the second passes: **{_spread(report.ratios)}**. visfeat reaches {median(own) / limit:.0%} of the",
        f"limit 1 / ({decode_ms:.2f} ms of decoding and resizing / {report.machine['cores']} cores + "
        f"{model_ms:.2f} ms of the network).",
        "",
        f"Cosine between both sides' features: median {report.cosine_median:.6f}, min {report.cosine_min:.6f}.",
        "",
        "| machine | |",
        "|---|---|",
        *(f"| {name} | {fact} |" for name, fact in report.machine.items()),
        "",
    ]
    return "\n".join(lines)


def write_results(report: Report, folder: Path) -> None:
    """Write ``<date>.md`` and ``<date>.json``; a later run of the same day replaces them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{report.date}.md").write_text(to_markdown(report), "utf-8")
    (folder / f"{report.date}.json").write_text(json.dumps(asdict(report), indent=1) + "\n", "utf-8")


def main() -> int:
    """Measure, print and keep the report; 1 where the ratio is less than what the project promises."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="JPEGs of your own instead of the default corpus")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--results", type=Path, help="folder for the report as .md and .json")
    options = parser.parse_args()
    report = run(options.folder or default_corpus(ROOT / "build"), options.repetitions)
    print(to_markdown(report))
    if options.results:
        write_results(report, options.results)
    return 0 if median(report.ratios) >= WANTED_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
