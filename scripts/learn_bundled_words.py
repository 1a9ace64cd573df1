"""Learn the vocabularies that come with visfeat, from the sample photographs.

    python scripts/learn_bundled_words.py [FOLDER]

They are enough to try the models of SIFT; words of one's own pictures are better (``visfeat vocabulary``). Needs
``visfeat[classic,use,samples]``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from visfeat.extraction.learn_words import learn_words
from visfeat.models.classic.sift_models import SOURCES
from visfeat.models.classic.vocabulary import DATA, bundled_path
from visfeat.samples import SAMPLES, write_samples


def learn(folder: Path) -> None:
    """Write the vocabulary of every model into the folder; the derived samples are no pictures of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        write_samples(Path(scratch))
        pictures = [Path(scratch) / one.name for one in SAMPLES if Path(one.name).suffix != ".mp4"]
        for model in SOURCES:
            path = folder / bundled_path(model).name
            learned = learn_words(pictures, model=model)
            learned.vocabulary.save(path)
            print(f"{path.name}: {path.stat().st_size:,} bytes, from {learned.pictures} pictures")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Learn the bundled vocabularies.")
    parser.add_argument("folder", nargs="?", type=Path, default=DATA, help="where to write them")
    learn(parser.parse_args().folder)
