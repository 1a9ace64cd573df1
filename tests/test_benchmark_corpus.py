from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.corpus import SIZES_PX, corpus_digest, write_corpus


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    """Two noisy pictures, one larger and one smaller than the usual sizes, and one too small to serve."""
    random = np.random.default_rng(1)
    paths = []
    for width, height in ((900, 700), (400, 320), (200, 200)):
        path = tmp_path / f"{width}.png"
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        paths.append(path)
    return paths


def test_the_corpus_is_the_same_every_time(sources: list[Path], tmp_path: Path) -> None:
    first = write_corpus(tmp_path / "a", sources=sources, count=12, seed=7)
    second = write_corpus(tmp_path / "b", sources=sources, count=12, seed=7)
    other = write_corpus(tmp_path / "c", sources=sources, count=12, seed=8)
    assert corpus_digest(first) == corpus_digest(second) != corpus_digest(other)


def test_pictures_are_jpegs_of_usual_sizes_never_enlarged_never_equal(sources: list[Path], tmp_path: Path) -> None:
    paths = write_corpus(tmp_path / "corpus", sources=sources, count=20, seed=7)
    assert len({path.read_bytes() for path in paths}) == 20
    cut_from_the_smaller = 0
    for path in paths:
        with Image.open(path) as image:
            assert image.format == "JPEG"
            if image.size not in SIZES_PX:
                cut_from_the_smaller += 1
                assert image.width <= 400
                assert image.height <= 320
    assert 5 <= cut_from_the_smaller <= 15


def test_sources_that_are_all_too_small_are_refused(sources: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no picture"):
        write_corpus(tmp_path / "corpus", sources=sources[2:], count=1, seed=7)
