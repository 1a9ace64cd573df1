"""Indexes at equal recall: latency, throughput, build time, memory and disk, each in a process of its own.

    python -m benchmarks.search [--rows 100000] [--width 512] [--engines "visfeat exact,faiss HNSW"] [--results FILE]

The rows are clustered as features are, or random; 1,000 queries are drawn like the rows. Each index is searched with
rising effort until its recall@10 is .95 (or its efforts are spent), then it is measured: one query after the other
(latency), and all at once (throughput, and ``cpu_ms``: the processors' time a query, which other work on the machine
changes least). Memory is what the process grew by beside the rows, at its peak.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.child import ROOT, MeasurementFailed, measure
from benchmarks.machine import describe_machine, warn_if_busy
from benchmarks.search_data import KINDS, Kind, kept, vectors
from benchmarks.search_engines import ENGINES, Engine, Indices, Vectors

K, WANTED_RECALL = 10, 0.95
QUERIES, ONE_BY_ONE = 1000, 200
MIB = 2**20
COLUMNS = ("recall", "effort", "ms", "ms_95", "per_s", "cpu_ms", "build_s", "memory_mb", "disk_mb")


def main() -> int:
    """Measure one engine here, or all of them in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--one", help="measure this engine in this process and print JSON")
    parser.add_argument("--results", type=Path, help="append the table to this file")
    parser.add_argument("--started-at", type=float, default=0.0, help="not used here")
    options = parser.parse_args()
    folder = ROOT / "build" / "search"
    if options.one:
        print(json.dumps(measured(options.one, options.kinds, options.rows, options.width, folder)))
        return 0
    warn_if_busy()
    lines = [f"{name}: {value}" for name, value in describe_machine().items() if name in ("cpu", "cores", "memory")]
    for kind in options.kinds.split(","):
        lines += ["", f"{options.rows} x {options.width}, {kind}", header()]
        print("\n".join(lines[-3:]), flush=True)
        for name in options.engines.split(","):
            lines.append(line_of(name, kind, options.rows, options.width))
            print(lines[-1], flush=True)
    if options.results:
        with options.results.open("a", encoding="utf-8") as file:
            file.write("\n".join([*lines, ""]))
    return 0


def header() -> str:
    """The names of the columns."""
    return f"{'index':24}" + "".join(f"{name:>10}" for name in COLUMNS)


def line_of(name: str, kind: str, rows: int, width: int) -> str:
    """One engine's line, or why there is none."""
    try:
        arguments = ("--one", name, "--kinds", kind, "--rows", rows, "--width", width)
        found = measure("benchmarks.search", *arguments)
    except MeasurementFailed as error:
        return f"{name:24}  {str(error).strip().splitlines()[-1]}"
    return f"{name:24}" + "".join(f"{found[column]:>10.4g}" for column in COLUMNS)


def measured(name: str, kind: Kind, rows: int, width: int, folder: Path) -> dict[str, Any]:
    """Build and search one index; times in seconds and milliseconds, sizes in MiB."""
    values = np.load(kept(folder, kind, rows, width, seed=0))
    queries = vectors(kind, QUERIES, width, seed=1, among=rows)
    truth = exact(values, queries, folder / f"{kind}-{rows}x{width}-truth.npy")
    engine = ENGINES[name]()
    before = peak_mb()
    with tempfile.TemporaryDirectory(prefix="visfeat-index-") as scratch:
        started = time.perf_counter()
        engine.build(values, Path(scratch))
        build_s = time.perf_counter() - started
        disk_mb = sum(file.stat().st_size for file in Path(scratch).rglob("*") if file.is_file()) / MIB
        effort, recall = sufficient(engine, queries, truth)
        each_ms = latencies_ms(engine, queries[:ONE_BY_ONE], effort)
        started, worked = time.perf_counter(), time.process_time()
        engine.search(queries, K, effort)
        per_s = len(queries) / (time.perf_counter() - started)
        cpu_ms = 1000 * (time.process_time() - worked) / len(queries)
    return {
        "recall": recall,
        "effort": effort,
        "ms": float(np.median(each_ms)),
        "ms_95": float(np.percentile(each_ms, 95)),
        "per_s": per_s,
        "cpu_ms": cpu_ms,
        "build_s": build_s,
        "memory_mb": peak_mb() - before,
        "disk_mb": disk_mb,
    }


def sufficient(engine: Engine, queries: Vectors, truth: Indices) -> tuple[int, float]:
    """The least effort with the recall wanted, else the most there is; and its recall@10."""
    effort, recall = 0, 0.0
    for effort in engine.efforts:
        recall = recall_of(engine.search(queries, K, effort), truth)
        if recall >= WANTED_RECALL:
            break
    return effort, recall


def recall_of(found: Indices, truth: Indices) -> float:
    """Which share of the true ten nearest was found."""
    hits = [len(set(one) & set(other)) for one, other in zip(found.tolist(), truth.tolist(), strict=True)]
    return float(np.mean(hits)) / truth.shape[1]


def latencies_ms(engine: Engine, queries: Vectors, effort: int) -> list[float]:
    """Of queries one after the other."""
    found = []
    for number in range(len(queries)):
        started = time.perf_counter()
        engine.search(queries[number : number + 1], K, effort)
        found.append(1000 * (time.perf_counter() - started))
    return found


def exact(values: Vectors, queries: Vectors, path: Path) -> Indices:
    """The true ten nearest, computed once."""
    if not path.is_file():
        best = np.concatenate([np.argsort(-(values @ query))[:K][None] for query in queries])
        np.save(path, best)
    truth: Indices = np.load(path)
    return truth


def peak_mb() -> float:
    """The largest resident memory of this process so far (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
