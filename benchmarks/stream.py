"""A stream of frames: how long from a frame to its row, and how many rows a second.

python -m benchmarks.stream [--model NAME] [--seconds N]

Latency is measured at a camera's pace, for a row each of its frames and for one a second: the time from the feeding of
the frame that completes a row until the row is there. Speed is measured as fast as frames can be fed, against
``Extractor.video`` over the same frames, the two taking turns.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from statistics import median

import av
import numpy as np

from benchmarks.machine import describe_machine, warn_if_busy
from visfeat.decode import open_decoder
from visfeat.engine.prepare import Prepared, prepare
from visfeat.extraction.extractor import Extractor
from visfeat.media import MediaItem, identify, uri_of
from visfeat.recipe import Recipe
from visfeat.streaming.rows import StreamRow
from visfeat.streaming.stream import Stream

HEIGHT_PX, WIDTH_PX, FRAMES, REPETITIONS = 480, 640, 200, 3


def main() -> int:
    """Measure and print latencies and rates."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=Recipe().model)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement of latency")
    options = parser.parse_args()
    warn_if_busy()
    print(describe_machine()["cpu"])
    for rate, every_s in ((25, None), (10, None), (25, Fraction(1))):
        recipe = Recipe(model=options.model, every_s=every_s, every_frame=every_s is None)
        _print_latency(rate, every_s, paced(prepare(recipe), rate, options.seconds))
    prepared = prepare(Recipe(model=options.model, every_frame=True))
    with tempfile.TemporaryDirectory() as folder:
        per_s = speeds(prepared, write_video(Path(folder) / "a.mp4"))
    ratio = median(a / b for a, b in zip(per_s["stream"], per_s["file"], strict=True))
    print(f"stream: {median(per_s['stream']):.0f} rows/s, {ratio:.2f} of Extractor.video of the same file")
    return 0


def paced(prepared: Prepared, rate: int, seconds: float) -> list[StreamRow]:
    """The rows of a camera of that many frames a second that is watched for so long."""
    pictures = np.random.default_rng(0).integers(0, 256, (4, HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    rows: list[StreamRow] = []
    with Stream(prepared=prepared, on_full="drop") as stream:
        started_s = time.monotonic()
        for number in range(round(seconds * rate)):
            time.sleep(max(0.0, started_s + number / rate - time.monotonic()))
            rows += stream.feed(pictures[number % 4], Fraction(number, rate))
        rows += stream.finish()
        if stream.dropped:
            print(f"({stream.dropped} rows dropped)")
    return rows


def write_video(path: Path) -> Path:
    """A video of smooth pictures that move."""
    y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for number in range(FRAMES):
            wave = (127 + 100 * np.sin((x + 3 * number) / 20) * np.cos(y / 30)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.repeat(wave[:, :, None], 3, 2), "rgb24")))
        container.mux(stream.encode())
    return path


def speeds(prepared: Prepared, video: Path) -> dict[str, list[float]]:
    """Rows a second of stream and file, the two taking turns."""
    per_s: dict[str, list[float]] = {"file": [], "stream": []}
    extractor = Extractor(prepared=prepared)
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        extractor.video(video)
        per_s["file"].append(FRAMES / (time.perf_counter() - start))
        start = time.perf_counter()
        item, content = identify(MediaItem(uri_of(video), 0, 0))
        rows = list(Stream(prepared=prepared).run(open_decoder(item, content).frames()))
        per_s["stream"].append(len(rows) / (time.perf_counter() - start))
    return per_s


def _print_latency(rate: int, every_s: Fraction | None, rows: list[StreamRow]) -> None:
    delays_ms = np.array([row.delay_s for row in rows]) * 1000
    what = "a row a frame" if every_s is None else f"a row every {float(every_s):g} s"
    middle, high, most = np.percentile(delays_ms, [50, 95, 100])
    print(f"{rate} frames/s, {what}: {len(rows)} rows, latency {middle:.0f} ms, 95 % {high:.0f} ms, most {most:.0f} ms")


if __name__ == "__main__":
    sys.exit(main())
