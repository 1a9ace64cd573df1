"""Finding copies: precision and recall per attack, and where passages of videos begin and end.

    python -m benchmarks.copies [--pictures | --videos] [--calibrate] [--own FOLDER] [--model M] [--out FILE.json]
    python -m benchmarks.copies --vectors 1000000 [--dimension 512]

Copies of real pictures and videos, made by a script (``copied_pictures``, ``copied_videos``), are looked for among
their originals and many others; the recipe is that of the preset visfeat/copies. Beside it stand pHash and PDQ where
their packages are installed (ImageHash, pdqhash). ``--calibrate`` prints the thresholds of ``dedupe/thresholds.py``.
``--vectors`` measures time and memory of finding the pairs among that many vectors.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.copies_of_pictures import calibrate_pictures, measure_pictures
from benchmarks.copies_of_videos import calibrate_videos, measure_videos
from benchmarks.machine import describe_machine, warn_if_busy
from benchmarks.many_vectors import measure_vectors

ORIGINALS, DISTRACTORS = 40, 3000
ORIGINAL_VIDEOS, DISTRACTOR_VIDEOS = 8, 40


def main() -> int:
    """Make the media, extract, look for copies, print the tables."""
    options = _options()
    warn_if_busy()
    if options.vectors:
        print(json.dumps(measure_vectors(options.vectors, options.dimension), indent=1))
        return 0
    found: dict[str, Any] = {"machine": describe_machine()}
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="visfeat-copies-", dir=options.scratch) as name:
        folder = Path(name)
        if not options.videos:
            found["pictures"] = measure_pictures(
                folder / "pictures",
                originals=options.originals,
                distractors=options.distractors,
                model=options.model,
                own=options.own,
            )
            if options.calibrate:
                found["picture_threshold"] = calibrate_pictures(folder / "pictures", options.model)
        if not options.pictures:
            found["videos"], truth = measure_videos(
                folder / "videos", originals=ORIGINAL_VIDEOS, distractors=options.distractor_videos, model=options.model
            )
            if options.calibrate:
                found["video_threshold"] = calibrate_videos(folder / "videos", truth)
    print(f"{time.monotonic() - started:.0f} s in all")
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", action="store_true", help="only pictures")
    parser.add_argument("--videos", action="store_true", help="only videos")
    parser.add_argument("--calibrate", action="store_true", help="also print the thresholds for the table")
    parser.add_argument("--own", type=Path, help="a folder of JPEGs to take in place of the sample photographs")
    parser.add_argument("--model", help="another model than the preset's")
    parser.add_argument("--originals", type=int, default=ORIGINALS)
    parser.add_argument("--distractors", type=int, default=DISTRACTORS)
    parser.add_argument("--distractor-videos", type=int, default=DISTRACTOR_VIDEOS)
    parser.add_argument("--vectors", type=int, help="measure the pairs among so many vectors instead")
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--scratch", type=Path, help="where to write media, in place of the system's folder")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
